"""A file that is read again when it changes, and kept as it was when it breaks."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from server.errors import StartError

log = logging.getLogger(__name__)

POLL_S = 1.0
"""Seconds between two looks at a file."""

Signature = tuple[int, int, int, int]
Content = TypeVar("Content")


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
    """What a file says now. Belongs to one thread.

    It is looked at from within `now`, at most once in POLL_S: no thread and no task, so it
    survives a fork and costs a comparison of the clock in between. A file that has gone or broke
    changes nothing, is told to the log once, and is tried again as soon as it changes.

    Raises:
        StartError: whatever `read` raises, for a file that is broken at the start.
    """

    def __init__(
        self, path: Path, read: Callable[[Path], Content], clock: Callable[[], float]
    ) -> None:
        self._path = path
        self._read = read
        self._clock = clock
        # Before reading: a file that is replaced meanwhile is read once more, not missed.
        self._signature = signature(path)
        self._content = read(path)
        self._due = clock() + POLL_S

    def now(self) -> Content:
        """Return what the file said when it was last whole."""
        if self._clock() >= self._due:
            self._look()
        return self._content

    def _look(self) -> None:
        self._due = self._clock() + POLL_S
        found = signature(self._path)
        if found == self._signature:
            return
        self._signature = found
        try:
            self._content = self._read(self._path)
        except StartError as error:
            log.error("%s; what it said before holds", error)
        else:
            log.info("%s: read again", self._path)
