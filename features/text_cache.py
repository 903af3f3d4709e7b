"""Text vectors on disk, so that an interrupted run over a catalogue goes on where it stopped."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.errors import CacheError
from features.schema import TEXT_RECIPE
from features.text import Progress, TextFeaturizer, prepare

DTYPE = "<f4"
_APPLICATION_ID = 0x6E667478
_FORMAT = 1
_KEYS_PER_QUERY = 500
_WAIT_SECONDS = 60
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Described:
    """What there is to know about a featurizer without opening it; see `TextFeaturizer`."""

    name: str
    revision: str
    dimensions: int
    for_tests_only: bool

    @classmethod
    def of(cls, featurizer: TextFeaturizer) -> "Described":
        """Ask a featurizer."""
        return cls(
            featurizer.name,
            featurizer.revision,
            featurizer.dimensions,
            featurizer.for_tests_only,
        )


class TextCache:
    """A file of vectors by key; safe to share between threads and to be killed at any moment.

    Vectors are written in transactions of a write-ahead log: a batch is there whole or not at all.

    Raises:
        CacheError: the file is damaged, of a newer format, or another program's database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=_WAIT_SECONDS)
        try:
            self._open()
        except (sqlite3.DatabaseError, CacheError) as error:
            self._connection.close()
            raise CacheError(
                f"{path} cannot be used as a cache of text vectors: {error}"
            ) from error

    def _open(self) -> None:
        # One transaction: another process may be making the same file at this moment.
        self._connection.execute("BEGIN IMMEDIATE")
        with self._connection:
            found = self._pragma("application_id"), self._pragma("user_version")
            tables = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and found != (_APPLICATION_ID, _FORMAT):
                raise CacheError(f"expected format {_FORMAT}, found application and format {found}")
            self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"
            )
            # Files of before have vectors alone; whoever reads only these takes no notice of it.
            self._connection.execute(
                "CREATE TABLE IF NOT EXISTS featurizers (revision TEXT PRIMARY KEY, "
                "name TEXT NOT NULL, dimensions INTEGER NOT NULL, for_tests_only INTEGER NOT NULL)"
            )
        self._write_ahead()
        self._connection.execute("PRAGMA synchronous = NORMAL")

    def _write_ahead(self) -> None:
        # SQLite does not wait here as it does elsewhere: two who change the mode of a new file at
        # once would wait for each other, so it refuses one of them right away.
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def __len__(self) -> int:
        with self._lock:
            return int(self._connection.execute("SELECT count(*) FROM vectors").fetchone()[0])

    def get(self, keys: Sequence[bytes], dimensions: int) -> dict[bytes, NDArray[np.float32]]:
        """Return the vectors that are there, by key.

        Shapes:
            returns: values of shape (D,), D = `dimensions`.

        Raises:
            CacheError: the file is damaged, or a vector has another length.
        """
        found: dict[bytes, NDArray[np.float32]] = {}
        for start in range(0, len(keys), _KEYS_PER_QUERY):
            for key, blob in self._select(keys[start : start + _KEYS_PER_QUERY]):
                if len(blob) != dimensions * np.dtype(DTYPE).itemsize:
                    raise CacheError(
                        f"{self.path}: expected {dimensions} float32 under key {key.hex()[:16]}, "
                        f"got {len(blob)} bytes"
                    )
                found[key] = np.frombuffer(blob, dtype=DTYPE).astype(np.float32, copy=False)
        return found

    def _select(self, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, vector FROM vectors WHERE key IN ({marks})"
        with self._lock:
            try:
                return self._connection.execute(query, list(keys)).fetchall()
            except sqlite3.DatabaseError as error:
                raise CacheError(f"{self.path} cannot be read: {error}") from error

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep one vector per key, in one transaction.

        Shapes:
            vectors: (B, D) float32, one row per key.

        Raises:
            CacheError: the file cannot be written.
        """
        blobs = (row.tobytes() for row in vectors.astype(DTYPE, copy=False))
        with self._lock:
            try:
                with self._connection:
                    self._connection.executemany(
                        "INSERT OR REPLACE INTO vectors VALUES (?, ?)",
                        zip(keys, blobs, strict=True),
                    )
            except sqlite3.DatabaseError as error:
                raise CacheError(f"{self.path} cannot be written: {error}") from error

    def describe(self, featurizer: Described) -> None:
        """Keep what is known about a featurizer, by its revision.

        Raises:
            CacheError: the file cannot be written.
        """
        row = featurizer.revision, featurizer.name, featurizer.dimensions, featurizer.for_tests_only
        with self._lock:
            try:
                with self._connection:
                    self._connection.execute(
                        "INSERT OR REPLACE INTO featurizers VALUES (?, ?, ?, ?)", row
                    )
            except sqlite3.DatabaseError as error:
                raise CacheError(f"{self.path} cannot be written: {error}") from error

    def described(self, revision: str) -> Described | None:
        """Return what is known about the featurizer of a revision; None if it never filled this.

        Raises:
            CacheError: the file is damaged.
        """
        query = "SELECT name, dimensions, for_tests_only FROM featurizers WHERE revision = ?"
        with self._lock:
            try:
                row = self._connection.execute(query, (revision,)).fetchone()
            except sqlite3.DatabaseError as error:
                raise CacheError(f"{self.path} cannot be read: {error}") from error
        return None if row is None else Described(row[0], revision, row[1], bool(row[2]))

    def recall(self, featurizer: Described, texts: Sequence[str]) -> NDArray[np.float32] | None:
        """Give the vectors of texts if all are here, so that no featurizer needs to be opened.

        Shapes:
            returns: (B, D) float32, in the order of `texts`.

        Raises:
            CacheError: the file is damaged, or a vector has another length.
            TextError: a text has nothing to read in it.
        """
        keys = [cache_key(featurizer.revision, text) for text in prepare(texts)]
        found = self.get(list(dict.fromkeys(keys)), featurizer.dimensions)
        if not all(key in found for key in keys):
            return None
        return _rows(keys, found, featurizer.dimensions)

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        with self._lock:
            self._connection.close()


def cache_key(revision: str, text: str, *, recipe: str = TEXT_RECIPE) -> bytes:
    """Return the key of a prepared text's vector under an encoder's revision.

    Everything that decides the vector is in it: revision, number format, recipe and text.
    """
    digest = blake2b(digest_size=32)
    for part in (revision, DTYPE, recipe, text):
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    return digest.digest()


class CachedFeaturizer:
    """A featurizer that asks another one only for texts it has not seen.

    Each finished batch is written before the next begins, so a run that dies loses one batch at
    most. A text that occurs twice is embedded once. Closing closes the other featurizer and the
    cache.
    """

    def __init__(
        self,
        inner: TextFeaturizer,
        cache: TextCache,
        *,
        batch_size: int = 256,
        on_progress: Progress | None = None,
    ) -> None:
        self._inner = inner
        self._cache = cache
        self._batch_size = batch_size
        self._on_progress = on_progress

    @property
    def name(self) -> str:
        """Return the inner featurizer's name."""
        return self._inner.name

    @property
    def revision(self) -> str:
        """Return the inner featurizer's revision."""
        return self._inner.revision

    @property
    def dimensions(self) -> int:
        """Return the inner featurizer's number of dimensions."""
        return self._inner.dimensions

    @property
    def for_tests_only(self) -> bool:
        """Return whether the inner featurizer is a fake."""
        return self._inner.for_tests_only

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, reading what is known; see `TextFeaturizer.embed`.

        Raises:
            CacheError: the cache cannot be read or written.
        """
        revision = self._inner.revision
        prepared = prepare(texts)
        keys = [cache_key(revision, text) for text in prepared]
        text_of = dict(zip(keys, prepared, strict=True))
        vector_of = self._cache.get(list(text_of), self._inner.dimensions)
        missing = [key for key in text_of if key not in vector_of]
        self._report(len(vector_of), len(text_of))
        for batch in _batches(missing, self._batch_size):
            vectors = self._inner.embed([text_of[key] for key in batch])
            self._cache.put(batch, vectors)
            vector_of.update(zip(batch, vectors, strict=True))
            self._report(len(vector_of), len(text_of))
        self._cache.describe(Described.of(self._inner))
        return _rows(keys, vector_of, self._inner.dimensions)

    def _report(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)

    def close(self) -> None:
        """Close the inner featurizer and the cache."""
        self._inner.close()
        self._cache.close()


def _rows(
    keys: Sequence[bytes], vector_of: Mapping[bytes, NDArray[np.float32]], dimensions: int
) -> NDArray[np.float32]:
    rows = np.zeros((len(keys), dimensions), dtype=np.float32)
    for place, key in enumerate(keys):
        rows[place] = vector_of[key]
    return rows


def _batches(keys: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
