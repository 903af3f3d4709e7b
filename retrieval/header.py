"""The header of a saved index: what it is, and over which vectors it was built.

Library files carry no checksum, and a damaged one can crash the process that
opens it. So a header of our own lies beside it and is checked first.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import (
    IndexDamagedError,
    IndexMismatchError,
    IndexMissingError,
    IndexTooNewError,
)

HEADER_FILE = "index.json"
BODY_FILE = "index.bin"
MAGIC = "nearfield index"
VERSION = 1
CHUNK_BYTES = 1 << 22


@dataclass(frozen=True)
class Body:
    """The library's own file."""

    bytes: int
    """Its length."""

    blake2b: str
    """Its digest, 128 bits in hex."""


@dataclass(frozen=True)
class IndexHeader:
    """What a saved index says about itself."""

    kind: str
    """Which implementation wrote it."""

    settings: dict[str, int]
    """What that implementation needs to search as it did when it was saved."""

    dimensions: int
    """Length of every vector."""

    count: int
    """Rows of the catalogue."""

    vectors: str
    """`fingerprint` of the catalogue's vectors."""

    graphs: tuple[tuple[int, int], ...]
    """Slices of rows, first and end, that the body has graphs over, in its order."""

    body: Body | None
    """The library's file, or None where the vectors are all that is needed."""


def write_header(folder: Path, header: IndexHeader) -> None:
    """Write the header beside its final name and rename it into place."""
    partial = folder / f"{HEADER_FILE}.partial"
    content = {"magic": MAGIC, "version": VERSION, **asdict(header)}
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    partial.replace(folder / HEADER_FILE)


def read_header(folder: Path) -> IndexHeader:
    """Read the header of a saved index.

    Raises:
        IndexMissingError: there is none.
        IndexDamagedError: it is not one of ours, or lacks a field.
        IndexTooNewError: a later version wrote it.
    """
    path = folder / HEADER_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise IndexMissingError(path, "no such file") from None
    except ValueError as error:
        raise IndexDamagedError(path, f"not readable as JSON: {error}") from error
    if not isinstance(content, dict) or content.get("magic") != MAGIC:
        raise IndexDamagedError(path, f"does not begin with the magic word {MAGIC!r}")
    version = content.get("version")
    if not isinstance(version, int) or version < 1:
        raise IndexDamagedError(path, f"version is not a positive number but {version!r}")
    if version > VERSION:
        raise IndexTooNewError(
            path, f"has version {version}, this program reads up to {VERSION}: use a newer one"
        )
    return _parse(path, content)


def check_header(
    header: IndexHeader, folder: Path, vectors: NDArray[np.float32], *, digested: bool
) -> None:
    """Check that a saved index is whole and belongs to these vectors.

    Unless `digested`, values are believed, and only lengths compared.

    Raises:
        IndexMismatchError: another number of rows or dimensions, or other values.
        IndexMissingError: the body is not there.
        IndexDamagedError: the body's length or digest is not what the header says.
    """
    path = folder / HEADER_FILE
    if (header.count, header.dimensions) != vectors.shape:
        raise IndexMismatchError(
            path,
            f"is over {header.count} vectors of {header.dimensions} dimensions, "
            f"the catalogue has {vectors.shape[0]} of {vectors.shape[1]}",
        )
    if digested and header.vectors != fingerprint(vectors):
        raise IndexMismatchError(path, "is over vectors with other values than the catalogue's")
    if header.body is not None:
        _check_body(folder / BODY_FILE, header.body, digested=digested)


def describe_body(path: Path) -> Body:
    """Measure a file that the library wrote."""
    return Body(bytes=path.stat().st_size, blake2b=_digest(path))


def fingerprint(vectors: NDArray[np.float32]) -> str:
    """Digest the values of a catalogue, row by row: 128 bits in hex."""
    digest = hashlib.blake2b(digest_size=16)
    rows = max(1, CHUNK_BYTES // (4 * vectors.shape[1]))
    for start in range(0, len(vectors), rows):
        digest.update(np.ascontiguousarray(vectors[start : start + rows], dtype="<f4").data)
    return digest.hexdigest()


def _parse(path: Path, content: dict[str, Any]) -> IndexHeader:
    """Turn checked JSON into a header."""
    try:
        body = content["body"]
        return IndexHeader(
            kind=str(content["kind"]),
            settings={str(name): int(value) for name, value in content["settings"].items()},
            dimensions=int(content["dimensions"]),
            count=int(content["count"]),
            vectors=str(content["vectors"]),
            graphs=tuple((int(first), int(end)) for first, end in content["graphs"]),
            body=None if body is None else Body(int(body["bytes"]), str(body["blake2b"])),
        )
    except KeyError as error:
        raise IndexDamagedError(path, f"has no field {error}") from error
    except (TypeError, ValueError, AttributeError) as error:
        raise IndexDamagedError(path, f"has a field of the wrong kind: {error}") from error


def _check_body(path: Path, body: Body, *, digested: bool) -> None:
    """Compare the library's file with what the header says about it."""
    if not path.is_file():
        raise IndexMissingError(path, "no such file")
    length = path.stat().st_size
    if length != body.bytes:
        raise IndexDamagedError(path, f"is {length} bytes long, expected {body.bytes}")
    if digested and _digest(path) != body.blake2b:
        raise IndexDamagedError(path, "its content is not what was saved (digest differs)")


def _digest(path: Path) -> str:
    """Digest a file in chunks."""
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
