"""The generations on disk: which are there, which answers, which answered before it."""

import logging
from dataclasses import dataclass
from pathlib import Path

from export.generation import GenerationError, find_all, locate
from export.generation.folder import CURRENT, GENERATIONS_FOLDER, PREVIOUS, point
from export.generation.manifest import MANIFEST_FILE, Manifest, read_manifest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One generation on disk."""

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Its name."""
        return self.manifest.generation

    @property
    def bytes(self) -> int:
        """Length of its files."""
        return sum(each.bytes for each in self.manifest.files.values())


class Store:
    """What `--generation` names: an output folder with its links, or one generation alone.

    An output folder is also meant where its link `current` is named.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.out = _output_folder(path)
        """The output folder; None where one generation alone is served."""

    def current(self) -> Path:
        """Find what is to answer.

        Raises:
            GenerationMissingError: nothing is there.
        """
        return locate(self._path if self.out is None else self.out)

    def find(self, name: str) -> Path | None:
        """Find a generation by name."""
        if self.out is None or "/" in name or name.startswith("."):
            return None
        path = self.out / GENERATIONS_FOLDER / name
        try:
            return path.resolve() if (path / MANIFEST_FILE).is_file() else None
        except OSError:  # no file can have such a name
            return None

    def previous(self) -> str | None:
        """Name what answered before; None where nothing did, or it is gone."""
        if self.out is None or not (self.out / PREVIOUS / MANIFEST_FILE).is_file():
            return None
        return (self.out / PREVIOUS).resolve().name

    def list(self) -> list[Entry]:
        """List the readable generations, newest first."""
        paths = [self.current()] if self.out is None else find_all(self.out)
        entries = []
        for path in paths:
            try:
                entries.append(Entry(path, read_manifest(path)))
            except (GenerationError, OSError):  # one that was damaged is none
                continue
        return sorted(entries, key=lambda each: (each.manifest.created, each.name), reverse=True)

    def record(self, name: str, before: str) -> None:
        """Point `current` to what answers, and `previous` to what answered before it.

        A folder that cannot be written to is left as it is: whoever can has pointed `current` to
        what is wanted, and there is no way back then but theirs.
        """
        if self.out is None:
            return
        try:
            if before != name and self.find(before) is not None:
                point(self.out, PREVIOUS, before)
            if (self.out / CURRENT).resolve().name != name:
                point(self.out, CURRENT, name)
        except OSError as error:
            log.warning("%s: its links are left as they are: %s", self.out, error)


def _output_folder(path: Path) -> Path | None:
    if path.name == CURRENT and path.is_symlink() and (path.parent / GENERATIONS_FOLDER).is_dir():
        return path.parent.resolve()
    if (path / MANIFEST_FILE).is_file():
        return None
    return path.resolve() if (path / GENERATIONS_FOLDER).is_dir() else None
