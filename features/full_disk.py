"""A disk that is full: how each library says so, and what is told to whoever runs the program."""

import errno
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

NO_ROOM = 3
"""Exit status of programs that the disk was too full for."""
_CODES = (errno.ENOSPC, errno.EDQUOT)
_SAID = re.compile(
    # errno's own words, as Rust (polars, safetensors) and C++ (DuckDB) repeat them, and SQLite's.
    r"No space left on device|Disk quota exceeded|database or disk is full",
    re.IGNORECASE,
)
_MAY_MEAN = re.compile(
    # numpy, SQLite beside its log, and torch do not say why they could not write.
    r"\d+ requested and \d+ written|disk I/O error|PytorchStreamWriter|enforce fail",
    re.IGNORECASE,
)
_LEAST_FREE = 1 << 20
"""Bytes below which a disk counts as full where the error does not tell."""


def full_disk(error: BaseException, folders: Sequence[Path]) -> str:
    """Say in one line that a disk is full and what to do; empty where the error is another.

    `folders` are those that the program writes to; the temporary one is looked at as well.
    """
    folders = [*folders, Path(tempfile.gettempdir())]
    for each in _causes(error):
        if isinstance(each, OSError) and each.errno in _CODES:
            return _line(_named(each) or _fullest(folders), quota=each.errno == errno.EDQUOT)
        text = str(each)
        if _SAID.search(text):
            return _line(_fullest(folders), quota="quota" in text.lower())
        if _MAY_MEAN.search(text) and _free(_fullest(folders)) < _LEAST_FREE:
            return _line(_fullest(folders))
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to those that it came from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _named(error: OSError) -> Path | None:
    """Return the folder of the file that could not be written, where the error names one."""
    return Path(error.filename).parent if isinstance(error.filename, str) else None


def _fullest(folders: Sequence[Path]) -> Path:
    return min(folders, key=_free)


def _free(folder: Path) -> int:
    """Tell how many bytes are free where a folder is, or will be."""
    there = next((each for each in (folder, *folder.absolute().parents) if each.exists()), None)
    return shutil.disk_usage(there).free if there else 0


def _line(folder: Path, *, quota: bool = False) -> str:
    free = f"the disk is full ({_free(folder) / 1e6:.1f} MB are free)"
    full = "the quota is used up" if quota else free
    return f"{folder}: {full}; make room there and run the same command again"
