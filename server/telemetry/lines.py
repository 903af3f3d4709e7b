"""Lines on their way to a file descriptor, without anybody waiting for its reader."""

import os
import threading
import time
from queue import Empty, SimpleQueue

GATHER_S = 0.02
"""How long a line waits for others. Waking a thread for each would cost a busy event loop more than
writing the line does."""
MOST_AT_ONCE = 1000
FLUSH_S = 2.0
"""How long the end waits for a reader that does not read."""


class LineWriter:
    """Writes lines to a file descriptor from a thread of its own; any thread may add them.

    Where the reader is too slow, lines beyond `most` are dropped and counted. A forked child needs
    one of its own.
    """

    def __init__(self, descriptor: int, *, most: int, flush_s: float = FLUSH_S) -> None:
        self._descriptor = descriptor
        self._most = most
        self._flush_s = flush_s
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self.dropped = 0
        """Lines that were never written."""
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Add a line, its end not included. Never waits."""
        if self._queue.qsize() >= self._most:
            self.dropped += 1
        else:
            self._queue.put(line)

    def close(self) -> None:
        """Write what was added, unless the reader does not read. Closing twice is harmless."""
        self._queue.put(None)
        self._thread.join(self._flush_s)

    def _run(self) -> None:
        ended = False
        while not ended:
            lines, ended = self._gather()
            if lines:
                self._send("\n".join((*lines, "")).encode("utf-8", errors="replace"))

    def _gather(self) -> tuple[list[str], bool]:
        """Wait for a line and take those that come soon after it; True where it was the end."""
        first = self._queue.get()
        if first is None:
            return [], True
        time.sleep(GATHER_S)
        lines = [first]
        while len(lines) < MOST_AT_ONCE:
            try:
                line = self._queue.get_nowait()
            except Empty:
                break
            if line is None:
                return lines, True
            lines.append(line)
        return lines, False

    def _send(self, data: bytes) -> None:
        """Write all of it; what cannot be written, since nobody has the other end, is lost."""
        while data:
            try:
                data = data[os.write(self._descriptor, data) :]
            except OSError:
                self.dropped += data.count(b"\n")
                return
