"""A file that is read again when it changes, and kept as it was when it breaks."""

import logging
import os
import stat
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from server.errors import StartError

log = logging.getLogger(__name__)

POLL_S = 1.0
"""Seconds between two looks at a file."""
OVERDUE_S = 10.0
"""Seconds without a look after which the log says that a file hangs."""
MOST_BYTES = 64 << 20
"""Longest file that is read; about 250,000 callers."""

Signature = tuple[int, int, int, int]
Content = TypeVar("Content")


def read_file(path: Path, error: Callable[[Path, str], StartError]) -> bytes:
    """Read a regular file of at most MOST_BYTES; reading anything else may wait for ever.

    Raises:
        StartError: made by `error`, from the path and what was expected.
    """
    try:
        # A FIFO opens at once in this way, whether anybody writes to it or not.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise error(path, "expected a regular file")
            with os.fdopen(file, "rb", closefd=False) as opened:
                content = opened.read(MOST_BYTES + 1)
        finally:
            os.close(file)
    except OSError as problem:
        raise error(path, f"cannot be read ({type(problem).__name__})") from None
    if len(content) > MOST_BYTES:
        raise error(path, f"expected at most {MOST_BYTES} bytes, got more")
    return content


def signature(path: Path) -> Signature | None:
    """Tell one state of a file from another without reading it; None where there is none.

    A link is followed, so that a folder that is swapped behind it, as Kubernetes does, is seen;
    so is a file that only became readable.
    """
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size


class Watched(Generic[Content]):
    """What a file says now.

    A thread of its own looks at it every POLL_S and ends with this object, so that whoever asks
    never waits for a disk. A file that has gone or broke changes nothing, is told to the log once,
    and is tried again as soon as it changes. The same holds for one that hangs, as on a network
    that is away.

    Raises:
        StartError: whatever `read` raises, for a file that is broken at the start.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], Content], clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        self._looking = threading.Lock()
        # Before reading: a file that is replaced meanwhile is read once more, not missed.
        self._signature = signature(path)
        self._content = read(path)
        self._overdue = clock() + OVERDUE_S
        threading.Thread(
            target=_follow, args=(weakref.ref(self),), name="watched", daemon=True
        ).start()

    def now(self) -> Content:
        """Return what the file said when it was last whole. For one thread."""
        if self._clock() >= self._overdue:
            self._overdue = float("inf")
            log.error("%s: cannot be looked at, it hangs; what it said before holds", self._path)
        return self._content

    def look(self) -> None:
        """Read the file again if it has changed. Blocks for as long as its disk does."""
        with self._looking:
            found = signature(self._path)
            if found != self._signature:
                self._signature = found
                self._read_again()
            self._overdue = self._clock() + OVERDUE_S

    def _read_again(self) -> None:
        try:
            self._content = self._read(self._path)
        except StartError as error:
            log.error("%s; what it said before holds", error)
        else:
            log.info("%s: read again", self._path)


def _follow(reference: "weakref.ref[Watched[Any]]") -> None:
    while True:
        time.sleep(POLL_S)
        watched = reference()
        if watched is None:
            return
        try:
            watched.look()
        except Exception:
            log.exception("a file that is watched could not be read again")
        del watched  # or it would live for as long as this thread does
