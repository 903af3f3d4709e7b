"""Writes a generation beside its final name and renames it there when it is whole."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import numpy as np

from export.generation.contents import GenerationContents
from export.generation.errors import GenerationBusyError
from export.generation.layout import (
    INDEX_FOLDER,
    ITEM_ENCODER_FILE,
    MODEL_FILES,
    SCORER_FILE,
    USER_ENCODER_FILE,
)
from export.generation.manifest import (
    FORMAT,
    MANIFEST_FILE,
    FileInfo,
    IndexInfo,
    Manifest,
    render,
    timestamp,
)
from export.generation.reader import read
from retrieval.evidence import NAMES
from retrieval.header import read_header

PARTIAL = ".partial-"
LOCK_FILE = ".lock"


def write(folder: Path, contents: GenerationContents, *, created: datetime) -> Path:
    """Write a generation into `folder` under the name that its content gives it.

    Equal contents have one name whenever they are written. If that generation is there
    already, it is verified and left as it is.

    Raises:
        GenerationBusyError: another process is writing to `folder`.
        GenerationFileError: a generation of this name is there, and damaged.
        OSError: the disk is full, or the like; nothing is left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with only_writer(folder):
        sweep(folder)
        partial = folder / f"{PARTIAL}{uuid4().hex}"
        partial.mkdir()
        try:
            manifest = _fill(partial, contents, created)
            target = folder / manifest.generation
            if target.exists():
                read(target, allow_test_featurizer=True)
            else:
                sync_all(partial)
                partial.rename(target)
                sync(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _fill(partial: Path, contents: GenerationContents, created: datetime) -> Manifest:
    """Write every file, the manifest last."""
    models = contents.models
    for name, data in zip(
        MODEL_FILES, (models.hgnn, models.user_tower, models.item_tower), strict=True
    ):
        (partial / name).write_bytes(data)
    (partial / SCORER_FILE).write_bytes(models.scorer)
    (partial / ITEM_ENCODER_FILE).write_text(contents.item_encoder.to_json(), encoding="utf-8")
    (partial / USER_ENCODER_FILE).write_text(contents.user_encoder.to_json(), encoding="utf-8")
    for name, array in contents.arrays().items():
        np.save(partial / f"{name}.npy", array, allow_pickle=False)
    index = partial / INDEX_FOLDER
    index.mkdir()
    contents.index.save(index)
    manifest = _describe(partial, contents, created)
    (partial / MANIFEST_FILE).write_bytes(render(manifest))
    return manifest


def _describe(partial: Path, contents: GenerationContents, created: datetime) -> Manifest:
    files = sorted(path for path in partial.rglob("*") if path.is_file())
    return Manifest(
        format=FORMAT,
        generation="",
        space_id=contents.space_id,
        created=timestamp(created),
        as_of=None if contents.as_of is None else timestamp(contents.as_of),
        featurizer=contents.featurizer,
        item_types=contents.item_types,
        content_relations=contents.content_relations,
        history_length=contents.history_length,
        history_vectors=contents.history_vectors,
        evidence=NAMES,
        dimensions=contents.dimensions,
        counts=contents.counts,
        index=IndexInfo(
            kind=contents.index.kind, settings=read_header(partial / INDEX_FOLDER).settings
        ),
        files={path.relative_to(partial).as_posix(): _file_info(path) for path in files},
        metrics=contents.metrics,
        parity=contents.parity,
        calibration=contents.calibration,
    ).named()


def _file_info(path: Path) -> FileInfo:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileInfo(sha256=digest, bytes=path.stat().st_size)


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system gives back however the process ends."""
    with (folder / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise GenerationBusyError(folder, "another process is writing here") from error
        yield


def sweep(folder: Path) -> None:
    """Remove what a killed writer left; the lock says that none is at work."""
    for left in folder.glob(f"{PARTIAL}*"):
        shutil.rmtree(left)


def sync_all(folder: Path) -> None:
    """Have a folder and all in it written to the disk."""
    for path in folder.rglob("*"):
        sync(path)
    sync(folder)


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, written to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
