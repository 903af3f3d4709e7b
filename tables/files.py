"""Files written beside and renamed into place, so that a reader never sees half of one."""

import os
from collections.abc import Callable
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, beside and renamed."""
    replace_file(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then rename it; on failure nothing is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
