"""How generations lie in an output folder: `generations/<name>`, and `current` to serve."""

import os
from pathlib import Path
from uuid import uuid4

from export.generation.errors import GenerationMissingError
from export.generation.manifest import MANIFEST_FILE

GENERATIONS_FOLDER = "generations"
CURRENT = "current"
PREVIOUS = "previous"
"""Where a server looks when it rolls back."""


def locate(path: Path) -> Path:
    """Find the generation that a path means: itself, or the current one of an output folder.

    The answer has no symbolic link in it, so that a later `switch` does not move the ground
    under whoever reads.

    Raises:
        GenerationMissingError: there is neither.
    """
    if (path / MANIFEST_FILE).is_file():
        return path.resolve()
    current = path / CURRENT
    if (current / MANIFEST_FILE).is_file():
        return current.resolve()
    if current.is_symlink():
        raise GenerationMissingError(current, f"points to {current.readlink()}, which is not there")
    raise GenerationMissingError(path, f"holds neither {MANIFEST_FILE} nor {CURRENT}/")


def find_all(out: Path) -> list[Path]:
    """List the generations of an output folder by name, finished ones only."""
    folder = out / GENERATIONS_FOLDER
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(
        each for each in found if each.name[0] != "." and (each / MANIFEST_FILE).is_file()
    )


def switch(out: Path, name: str) -> Path:
    """Make a generation the current one, at once for everybody who looks.

    Returns:
        the link.

    Raises:
        GenerationMissingError: the output folder has no generation of that name.
    """
    return point(out, CURRENT, name)


def point(out: Path, link: str, name: str) -> Path:
    """Point a link of an output folder to one of its generations, in one step.

    Returns:
        the link.

    Raises:
        GenerationMissingError: the output folder has no generation of that name.
    """
    target = Path(GENERATIONS_FOLDER) / name
    if not (out / target / MANIFEST_FILE).is_file():
        raise GenerationMissingError(out / target, "no such generation")
    fresh = out / f".{link}-{uuid4().hex}"
    fresh.symlink_to(target)
    try:
        fresh.replace(out / link)
    except OSError:
        fresh.unlink()
        raise
    _sync(out)
    return out / link


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
