"""A generation that comes in piece by piece: checked as it comes, whole or not there at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from export.generation.errors import GenerationCorruptError
from export.generation.folder import GENERATIONS_FOLDER
from export.generation.manifest import MANIFEST_FILE, Manifest, read_manifest
from export.generation.verify import check_files, check_index_kind, check_listed, check_scoring
from export.generation.writer import PARTIAL, only_writer, sweep, sync, sync_all


class Incoming:
    """Takes the files of one generation; see `receive`."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._open: dict[str, BinaryIO] = {}
        self._taken: dict[str, int] = {}

    def take(self, path: str, data: bytes) -> None:
        """Take the next bytes of a file.

        Raises:
            GenerationCorruptError: the manifest lists no such file, or a shorter one.
            OSError: the disk is full, or the like.
        """
        expected = self.manifest.files.get(path)
        if expected is None:
            raise GenerationCorruptError(Path(path[:80]), "the manifest does not list it")
        taken = self._taken.get(path, 0) + len(data)
        if taken > expected.bytes:
            raise GenerationCorruptError(
                Path(path), f"is longer than the {expected.bytes} bytes that the manifest says"
            )
        if path not in self._open:
            target = self.folder / path
            target.parent.mkdir(exist_ok=True)
            self._open[path] = target.open("wb")
        self._open[path].write(data)
        self._taken[path] = taken

    def close(self) -> None:
        """Close every file."""
        for file in self._open.values():
            file.close()

    def check(self) -> None:
        """Compare every file with what the manifest says.

        Raises:
            GenerationMissingError, GenerationCorruptError: one is not there, or differs.
        """
        for path in self.manifest.files:
            self.take(path, b"")  # one without any bytes came in no piece
        self.close()
        check_files(self.folder, self.manifest, hashed=True)


@contextmanager
def receive(out: Path, manifest: bytes) -> Iterator[Incoming]:
    """Take a generation in; at the end of the block it is checked and put in its place.

    Nothing is left behind where anything fails. One of that name that is there is verified and
    kept.

    Raises:
        GenerationBusyError: another process is writing there.
        GenerationCorruptError, GenerationMissingError: it is not whole.
        GenerationTooNewError, GenerationUnsupportedError: nothing here could serve it.
        OSError: the disk is full, or the like.
    """
    folder = out / GENERATIONS_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        sweep(folder)
        partial = folder / f"{PARTIAL}{uuid4().hex}"
        partial.mkdir()
        incoming = None
        try:
            (partial / MANIFEST_FILE).write_bytes(manifest)
            incoming = Incoming(partial, _checked(partial))
            yield incoming
            incoming.check()
            target = folder / incoming.manifest.generation
            if target.exists():
                check_files(target, read_manifest(target), hashed=True)
            else:
                sync_all(partial)
                partial.rename(target)
                sync(folder)
        finally:
            if incoming is not None:
                incoming.close()
            shutil.rmtree(partial, ignore_errors=True)


def _checked(folder: Path) -> Manifest:
    """Read a manifest whose files are not there yet."""
    manifest = read_manifest(folder)
    check_index_kind(folder, manifest)
    check_scoring(folder, manifest)
    check_listed(folder, manifest)
    if sum(each.bytes for each in manifest.files.values()) > shutil.disk_usage(folder).free:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))
    return manifest
