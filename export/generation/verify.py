"""Compares a generation's files with what its manifest says about them."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from pathlib import Path

from export.generation.errors import (
    GenerationCorruptError,
    GenerationMissingError,
    GenerationUnsupportedError,
)
from export.generation.layout import (
    HISTORY_VECTORS,
    INDEX_FOLDER,
    ITEM_ENCODER_FILE,
    MODEL_FILES,
    SCORER_FILE,
    USER_ENCODER_FILE,
    array_specs,
)
from export.generation.manifest import MANIFEST_FILE, FileInfo, Manifest
from retrieval.approximate import ApproximateIndex
from retrieval.evidence import NAMES
from retrieval.exact import ExactIndex
from retrieval.header import BODY_FILE, HEADER_FILE

INDEX_KINDS = (ExactIndex.kind, ApproximateIndex.kind)
INDEX_FILES = (f"{INDEX_FOLDER}/{HEADER_FILE}", f"{INDEX_FOLDER}/{BODY_FILE}")


def check_index_kind(folder: Path, manifest: Manifest) -> None:
    """Refuse an index that no code here can search.

    Raises:
        GenerationUnsupportedError: its kind is unknown.
    """
    if manifest.index.kind not in INDEX_KINDS:
        raise GenerationUnsupportedError(
            folder / MANIFEST_FILE,
            f"has an index of kind {manifest.index.kind!r}, known are {', '.join(INDEX_KINDS)}",
        )


def check_scoring(folder: Path, manifest: Manifest) -> None:
    """Refuse a user tower or a scorer that reads what no code here can give it.

    Raises:
        GenerationUnsupportedError: it does.
    """
    if manifest.history_vectors not in HISTORY_VECTORS:
        raise GenerationUnsupportedError(
            folder / MANIFEST_FILE,
            f"reads histories from {manifest.history_vectors!r}, known are "
            f"{', '.join(HISTORY_VECTORS)}",
        )
    if manifest.evidence not in ((), NAMES):
        raise GenerationUnsupportedError(
            folder / MANIFEST_FILE,
            f"has a scorer of the columns {manifest.evidence}, known are {NAMES}",
        )


def check_files(folder: Path, manifest: Manifest, *, hashed: bool) -> None:
    """Check that every file is there with its length and, if `hashed`, its content.

    Raises:
        GenerationCorruptError: a file differs, or the manifest does not list it.
        GenerationMissingError: a file is not there.
        GenerationUnsupportedError: the manifest lists a file that its format does not have.
    """
    check_listed(folder, manifest)

    def check(name: str) -> None:
        _check_file(folder / name, manifest.files[name], hashed=hashed)

    # Digests are computed without Python's lock; the long files come first.
    names = sorted(manifest.files, key=lambda name: -manifest.files[name].bytes)
    with ThreadPoolExecutor(cpu_count()) as threads:
        for _ in threads.map(check, names):
            pass


def check_listed(folder: Path, manifest: Manifest) -> None:
    """Check that a manifest lists the files of its format and no others.

    Raises:
        GenerationCorruptError: it does not list one.
        GenerationUnsupportedError: it lists one that its format does not have.
    """
    arrays = array_specs(manifest.counts, manifest.dimensions, manifest.num_slots)
    needed = {
        *MODEL_FILES,
        *((SCORER_FILE,) if manifest.evidence else ()),
        ITEM_ENCODER_FILE,
        USER_ENCODER_FILE,
        INDEX_FILES[0],
        *(f"{name}.npy" for name in arrays),
    }
    if unlisted := sorted(needed - manifest.files.keys()):
        raise GenerationCorruptError(folder / MANIFEST_FILE, f"does not list {unlisted[0]}")
    if unknown := sorted(manifest.files.keys() - needed - {*INDEX_FILES}):
        raise GenerationUnsupportedError(
            folder / MANIFEST_FILE, f"lists {unknown[0]}, a file that this program does not know"
        )


def _check_file(path: Path, expected: FileInfo, *, hashed: bool) -> None:
    try:
        length = path.stat().st_size
        if length != expected.bytes:
            raise GenerationCorruptError(path, f"is {length} bytes long, expected {expected.bytes}")
        if hashed and _digest(path) != expected.sha256:
            raise GenerationCorruptError(
                path, "its content is not what was written (sha256 differs)"
            )
    except FileNotFoundError:
        raise GenerationMissingError(path, "no such file") from None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
