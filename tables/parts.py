"""Which files of a data folder are read: one file per table, or a folder of parts.

A folder of parts is read as Spark, Hive and Dask write it: part files at any depth, in the order of
their paths. What begins with a dot or an underscore (`_SUCCESS`, `.part-0.crc`) is a marker and no
part, and a folder called `column=value` gives its parts that column.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from tables.contract import TABLES
from tables.errors import DataError
from tables.roles import FILE as CONFIG_FILE

Format = Literal["parquet", "CSV"]
_FORMATS: dict[str, Format] = {
    ".parquet": "parquet",
    ".csv": "CSV",
    ".csv.gz": "CSV",
    ".csv.zst": "CSV",
}
_PARQUET_TOO = (".parq", ".pq")
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_DELTA_LOG = "_delta_log"


@dataclass(frozen=True)
class Part:
    """One file of a table."""

    path: Path
    format: Format
    columns: tuple[tuple[str, str | None], ...] = ()
    """Columns that folders on the way give the part, with their value; None is a gap."""


@dataclass(frozen=True)
class Parts:
    """The files of one table, all of one format."""

    name: str
    """Name of the file or the folder, as reports call it."""
    parts: tuple[Part, ...]


def check_folder(folder: Path) -> None:
    """Refuse a data folder that is not there.

    Raises:
        DataError: no such folder, or not a folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder")


def find_table(folder: Path, name: str) -> Parts | None:
    """Find the file of a table, or its folder of parts.

    Raises:
        DataError: there are two, so it is unclear which one counts, or the folder of parts holds
            no part, files of another kind, or a table whose parts do not all count.
    """
    found = [path for suffix in _FORMATS if (path := folder / f"{name}{suffix}").exists()]
    bare = folder / name
    if bare.is_dir():
        found.append(bare)
    if not found:
        return None
    if len(found) > 1:
        raise DataError(f"{folder}: both {found[0].name} and {found[1].name}, expected one of them")
    (path,) = found
    parts = _parts_in(path) if path.is_dir() else (Part(path, _FORMATS[path.name[len(name) :]]),)
    return Parts(path.name, parts)


def data_files(folder: Path) -> list[Path]:
    """List every file that is read of a data folder, whatever depth it lies at.

    Raises:
        DataError: see `find_table`.
    """
    tables = [table for name in TABLES if (table := find_table(folder, name))]
    files = [part.path for table in tables for part in table.parts]
    config = folder / CONFIG_FILE
    return [*([config] if config.exists() else []), *files]


def _parts_in(folder: Path) -> tuple[Part, ...]:
    if (folder / _DELTA_LOG).is_dir():
        raise DataError(
            f"{folder.name}: a Delta table, some of whose files no longer count; "
            "write its rows as parquet"
        )
    parts = tuple(_part(folder, path) for path in _files_below(folder))
    if not parts:
        raise DataError(f"{folder.name}: the folder holds no part that ends in {_endings()}")
    formats = {part.format for part in parts}
    if len(formats) > 1:
        raise DataError(f"{folder.name}: parts of parquet and of CSV, expected one of them")
    return parts


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not _is_marker(name))
        yield from (Path(parent, name) for name in sorted(files) if not _is_marker(name))


def _is_marker(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _part(folder: Path, path: Path) -> Part:
    for suffix in (*_FORMATS, *_PARQUET_TOO):
        if path.name.endswith(suffix):
            between = path.relative_to(folder).parts[:-1]
            columns = tuple(_column(name) for name in between if "=" in name)
            return Part(path, _FORMATS.get(suffix, "parquet"), columns)
    raise DataError(
        f"{folder.name}: {path.relative_to(folder)} does not end in {_endings()}; "
        "only parts of the table may lie in its folder"
    )


def _column(folder: str) -> tuple[str, str | None]:
    name, _, value = folder.partition("=")
    return unquote(name), None if value == _NO_VALUE else unquote(value)


def _endings() -> str:
    *first, last = _FORMATS
    return f"{', '.join(first)} or {last}"
