"""What each caller has had, in memory that the workers of a node share.

A row for each caller: the moment at which its bucket will be full again, and how many of its calls
are under way in each worker. Words of eight bytes are written whole, so nobody reads half of one. A
worker writes its own count of calls alone. The moment is everybody's: where two workers charge a
caller in the same microsecond, one charge may be lost.
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

PROBED = 16
"""Rows in which a caller may be; where all of them are taken, the quietest makes way."""
_WORD = 8
_KEY, _FULL_AT, _CALLS = 0, 2, 3
"""Words of a row: two of the key, one of the moment, then one for each worker."""


@dataclass(frozen=True)
class Sharing:
    """Which worker of a node this is."""

    file: Path
    """The same for all workers, made by whoever comes first."""
    worker: int
    workers: int


Key = tuple[int, int]
"""Two words that tell callers apart."""


def key_of(name: str) -> Key:
    """Make the key of a caller's name. Source: BLAKE2b, which nobody can aim at another's row."""
    digest = blake2b(name.encode(), digest_size=2 * _WORD).digest()
    first = int.from_bytes(digest[:_WORD], "little", signed=True) or 1  # 0 marks a free row
    return first, int.from_bytes(digest[_WORD:], "little", signed=True)


def _take_room(file: int, size: int, path: Path) -> None:
    """Make a file as long as it is to be, on the disk too.

    On a disk that is full, a page that is only promised ends the process when it is written to.

    Raises:
        OSError: there is no room; names the file.
    """
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        os.close(file)
        raise OSError(error.errno, error.strerror, str(path)) from error


class CallerTable:
    """Rows of callers, found by name. For one event loop of each worker."""

    def __init__(self, rows: int, sharing: Sharing | None = None) -> None:
        self._rows = rows
        self._worker, self._workers = (sharing.worker, sharing.workers) if sharing else (0, 1)
        self._words = _CALLS + self._workers
        size = rows * self._words * _WORD
        self._file = -1
        if sharing is not None:
            self._file = os.open(sharing.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _take_room(self._file, size, sharing.file)
        memory = mmap.mmap(self._file, size)
        self._ints = memoryview(memory).cast("q")
        self._floats = memoryview(memory).cast("d")
        if sharing is not None:  # calls of this worker's former life are under way no more
            table = np.frombuffer(memory, np.int64).reshape(rows, self._words)
            table[:, _CALLS + self._worker] = 0

    def find(self, key: Key) -> int | None:
        """Find the row of a caller, or take one; None where all that it may have are busy."""
        found = self._look_up(key)
        return self._insert(key) if found is None else found

    def full_at(self, row: int) -> float:
        """Return when the caller's bucket will be full, in seconds of the monotonic clock."""
        return self._floats[row * self._words + _FULL_AT]

    def set_full_at(self, row: int, moment: float) -> None:
        """Move that moment."""
        self._floats[row * self._words + _FULL_AT] = moment

    def calls(self, row: int) -> int:
        """Count the caller's calls under way in all workers."""
        start = row * self._words + _CALLS
        return sum(self._ints[start : start + self._workers])

    def count(self, row: int, calls: int) -> None:
        """Add to the calls under way here."""
        self._ints[row * self._words + _CALLS + self._worker] += calls

    def _look_up(self, key: Key) -> int | None:
        first, second = key
        for row in self._probed(first):
            start = row * self._words + _KEY
            if self._ints[start] == first and self._ints[start + 1] == second:
                return row
        return None

    def _insert(self, key: Key) -> int | None:
        first, second = key
        with self._locked():
            found = self._look_up(key)  # by another worker, meanwhile
            if found is not None:
                return found
            idle = [row for row in self._probed(first) if not self.calls(row)]
            if not idle:
                return None
            row = min(idle, key=self.full_at)  # one that is free was never full
            start = row * self._words
            self._ints[start + _KEY] = 0
            self._floats[start + _FULL_AT] = 0.0
            self._ints[start + _KEY + 1] = second
            self._ints[start + _KEY] = first
            return row

    def _probed(self, first: int) -> Iterator[int]:
        begin = first % self._rows
        for step in range(min(PROBED, self._rows)):
            yield (begin + step) % self._rows

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other workers from taking rows."""
        if self._file < 0:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
