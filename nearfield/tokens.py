"""How much a client may try again, over all its calls: less the more of them fail."""

import threading


class Tokens:
    """A purse from which each failure takes a token and into which each success puts a part of one.

    Above half of what it holds when full, a call may be tried again. When most calls fail it falls
    below that, and what is sent is the calls alone, however many tries each of them would have.
    Safe to share between threads.

    Source: gRFC A6, "Throttling Retry Attempts".
    """

    def __init__(self, full: int, for_success: float) -> None:
        self._full = float(full)
        self._for_success = for_success
        self._left = self._full
        self._lock = threading.Lock()

    def succeeded(self) -> None:
        """Put back the part for a success."""
        if self._left < self._full:
            with self._lock:
                self._left = min(self._full, self._left + self._for_success)

    def failed(self) -> bool:
        """Take the token of a failure, and tell whether it may be tried again."""
        with self._lock:
            self._left = max(0.0, self._left - 1.0)
            return self._left > self._full / 2
