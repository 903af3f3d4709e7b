"""What is tried again, when, and whether there is budget for it."""

import random
import time
from dataclasses import dataclass, replace

from nearfield.errors import (
    CallCancelledError,
    ResourceExhaustedError,
    StatusError,
    UnavailableError,
)
from nearfield.options import Options, Retry
from nearfield.rota import Rota
from nearfield.statuses import nobody_there, undone
from nearfield.steps import Pause
from nearfield.tokens import Tokens

TURNED_AWAY_S = 0.1
"""Pause before a call is tried again that gRPC itself turned away, with CANCELLED and without a
word, because the server has no time to look at it."""


@dataclass(frozen=True)
class Retries:
    """What all calls of a client share about trying again."""

    retry: Retry
    """What is tried again."""
    waits_for_ready: bool
    """Go on as long as there is no connection."""
    rota: Rota
    """The client's connections."""
    away: Tokens
    """Budget for calls that nobody could take."""
    told: Tokens
    """Budget for calls that were told to wait."""

    @classmethod
    def of(cls, options: Options, rota: Rota) -> "Retries":
        """Start with full purses."""
        retry = options.retry
        full = (retry.tokens, retry.tokens_per_success)
        waits = options.connection.wait_for_ready
        return cls(retry, waits, rota, Tokens(*full), Tokens(*full))

    def without_told_waits(self) -> "Retries":
        """Leave waits that a server asks for to somebody else; the purses are the same."""
        return replace(self, retry=replace(self.retry, told_waits=0))

    def succeeded(self) -> None:
        """Note a call that succeeded."""
        self.away.succeeded()
        self.told.succeeded()


class Tries:
    """The tries of one call."""

    def __init__(self, retries: Retries, deadline: float, *, repeatable: bool) -> None:
        """Begin with none; a call that is not repeatable is tried again only if it was not done."""
        self._retries = retries
        self._repeatable = repeatable
        self._deadline = deadline
        self._waits = 0
        self._failures = 0
        self._rounds = 0

    def pause_after(self, error: StatusError) -> Pause | None:
        """Give the pause before the next try; None where there is none."""
        if not self._repeatable and not undone(error):
            return None
        match error:
            case ResourceExhaustedError():
                return self._after_full(error.retry_delay_s)
            case CallCancelledError() if not error.reason:
                return self._after_full(TURNED_AWAY_S)
            case UnavailableError():
                return self._after_away(error)
        return None

    def _after_full(self, delay_s: float | None) -> Pause | None:
        """Wait as a full server asks, where it is short enough.

        It is drawn out by up to a fifth, so that callers who were told the same do not come back
        together.
        """
        retry = self._retries.retry
        if delay_s is None or retry.told_waits == 0:
            return None
        affordable = self._retries.told.failed()
        if not affordable or delay_s > retry.longest_told_wait_s or self._waits == retry.told_waits:
            return None
        self._waits += 1
        return self._before_the_end(delay_s * random.uniform(1.0, 1.2))

    def _after_away(self, error: StatusError) -> Pause | None:
        """Go on to another connection at once, where one is there, else after a growing pause."""
        retry, rota = self._retries.retry, self._retries.rota
        if not nobody_there(error):
            return None
        patient = self._retries.waits_for_ready and error.unsent
        self._failures += 1
        if self._failures >= retry.attempts and not patient:
            return None
        if len(rota) > 1 and rota.any_there():
            return Pause(0.0)
        if not patient and not self._retries.away.failed():
            return None
        pause_s = min(
            retry.first_backoff_s * retry.backoff_factor**self._rounds, retry.longest_backoff_s
        ) * random.uniform(0.8, 1.2)
        self._rounds += 1
        if patient:
            return Pause(min(pause_s, max(0.0, self._deadline - time.monotonic())))
        return self._before_the_end(pause_s)

    def _before_the_end(self, pause_s: float) -> Pause | None:
        return Pause(pause_s) if time.monotonic() + pause_s < self._deadline else None
