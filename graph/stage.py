"""A stage of the offline work: skipped when nothing it was made from has changed."""

import fcntl
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from tqdm import tqdm

from features.progress import Progress
from graph.errors import StageError
from graph.source import code_version

RECORD = "stage.json"
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class StageResult:
    """What came of a stage."""

    folder: Path
    ran: bool
    """False where the outputs of an earlier run were still right."""
    inputs: str
    """Hash of everything the stage was made from."""
    summary: dict[str, Any]
    """What the work had to say: counts, losses."""
    seconds: float
    """How long the work took when it ran."""


def run_stage(
    folder: Path,
    inputs: Mapping[str, Any],
    work: Callable[[Path], dict[str, Any]],
    *,
    code: Sequence[str],
    say: Callable[[str], None] | None = None,
    shelf: Path | None = None,
) -> StageResult:
    """Fill `folder` by `work`, unless it holds what the same inputs made before.

    `work` writes into a folder beside and returns a summary; only when it has finished does
    that folder take the place of the old one. The folder beside, `<name>.partial`, outlives
    a failure or an interruption if the work has put something there, and the same inputs
    find it again, so that work which keeps its own checkpoints resumes; other inputs start
    from an empty one.

    `inputs` is anything JSON can write, in full: settings, hashes of files, seeds. It is
    hashed together with the source of all that the modules of `code` can import: other code may
    make other outputs. `code` names the module that does the work, and any that `graph.source`
    would not find from there. What calls `run_stage` is not in it, so nothing that decides the
    outputs beside `inputs` may be done there. `say` gets a line per stage (standard error if
    None).

    On a `shelf`, a folder that several runs share, stages stand under the names of their inputs.
    The stage is found there or made there, and `folder` becomes a link to it.

    Of several processes one works; the others wait for it, and keep what it made if they want the
    same. The lock is the file `.<name>.lock` beside the folder.

    Raises:
        StageError: the inputs cannot be written as JSON, or `code` names no module of ours.
    """
    tell = say or _to_stderr
    name = _hash_inputs(folder, inputs, code)
    if shelf is not None:
        shelved = shelf / f"{folder.name}-{name[:16]}"
        result = run_stage(shelved, inputs, work, code=code, say=tell)
        _link(folder, shelved)
        return replace(result, folder=folder)
    done = _finished(folder, name)
    if done is None:
        with _only_worker(folder, tell):
            done = _finished(folder, name)  # another process may have made it meanwhile
            if done is None:
                return _make(folder, name, work, tell)
    tell(f"{folder.name}: unchanged, kept")
    return done


def _make(
    folder: Path,
    name: str,
    work: Callable[[Path], dict[str, Any]],
    tell: Callable[[str], None],
) -> StageResult:
    partial = folder.with_name(f"{folder.name}.partial")
    _prepare(partial, name)
    tell(f"{folder.name}: working")
    start = time.monotonic()
    try:
        summary = work(partial)
    except BaseException:
        _drop_if_empty(partial)
        raise
    seconds = round(time.monotonic() - start, 3)
    outputs = {
        path.relative_to(partial).as_posix(): path.stat().st_size
        for path in sorted(partial.rglob("*"))
        if path.is_file() and path.name != RECORD
    }
    record = {"inputs": name, "outputs": outputs, "summary": summary, "seconds": seconds}
    (partial / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    _swap(partial, folder)
    tell(f"{folder.name}: done in {seconds:.1f} s")
    return StageResult(folder, True, name, summary, seconds)


@contextmanager
def _only_worker(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the folder's lock, which the system gives back however the process ends."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_name(f".{folder.name}.lock")
    while True:
        with path.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                tell(f"{folder.name}: another process works on it, waiting")
                fcntl.flock(lock, fcntl.LOCK_EX)
            if not _stands_at(path, lock):
                continue  # who held it took it away
            try:
                yield
            finally:
                path.unlink()
            return


def _stands_at(path: Path, file: IO[str]) -> bool:
    """Tell whether an open file is the one of that name still."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _link(folder: Path, shelved: Path) -> None:
    """Let a run's folder of a stage lead to the shelf, from wherever both are moved together."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    target = os.path.relpath(shelved.resolve(), folder.parent.resolve())
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.symlink_to(target, target_is_directory=True)


def hash_files(folder: Path, paths: Sequence[Path]) -> dict[str, str]:
    """Hash the content of files in a folder, by their path from there.

    Says how far it is where they are large.
    """
    total = sum(path.stat().st_size for path in paths)
    hashes = {}
    with Progress("hash files", unit="B", total=total) as progress:
        for path in paths:
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
                    progress.add(len(block))
            hashes[path.relative_to(folder).as_posix()] = digest.hexdigest()
    return hashes


def _hash_inputs(folder: Path, inputs: Mapping[str, Any], code: Sequence[str]) -> str:
    try:
        text = json.dumps({"code": code_version(code), "inputs": inputs}, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise StageError(f"{folder.name}: inputs must be what JSON can write: {error}") from error
    return hashlib.sha256(text.encode()).hexdigest()


def _finished(folder: Path, name: str) -> StageResult | None:
    """Give the earlier result if its inputs were the same and its files are still whole."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        whole = all(
            (folder / path).stat().st_size == size for path, size in record["outputs"].items()
        )
        if record["inputs"] != name or not whole:
            return None
        return StageResult(folder, False, name, record["summary"], record["seconds"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # no stage, or a damaged record: the work is done again


def _prepare(partial: Path, name: str) -> None:
    """Keep the partial folder of the same inputs, empty that of others."""
    mark = partial / RECORD
    wanted = json.dumps({"inputs": name})
    if not mark.is_file() or mark.read_text(encoding="utf-8", errors="replace") != wanted:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        mark.write_text(wanted, encoding="utf-8")


def _drop_if_empty(partial: Path) -> None:
    """Remove a partial folder in which there is nothing to resume from."""
    if [path.name for path in partial.iterdir()] == [RECORD]:
        shutil.rmtree(partial)


def _swap(partial: Path, folder: Path) -> None:
    """Put the new folder in the old one's place; in between there is none, never half of one."""
    old = folder.with_name(f"{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _to_stderr(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
