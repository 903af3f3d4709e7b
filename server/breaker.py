"""A circuit breaker: what keeps failing is left alone for a while, then asked with one probe."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

log = logging.getLogger(__name__)

State = Literal["closed", "half_open", "open"]
Verdict = Literal["answered", "failed", "hopeless", "unclear"]
"""What a question says about who was asked: it answers, it failed, it is not there at all, nothing.
Hopeless is what need not be tried again to be believed."""
Judge = Callable[[Exception], Verdict]


@dataclass(frozen=True)
class Change:
    """A change of a breaker's state."""

    state: State
    rest_s: float = 0.0
    """How long nothing is asked from now on."""
    why: str = ""
    """What opened it."""


Told = Callable[[Change], None]


class BreakerSettings(BaseModel):
    """When a featurizer that fails is left alone, and for how long."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    failures: PositiveInt = 3
    """Failures one after the other that open the breaker: timeouts, errors of the server, answers
    that are no vectors. A connection that is refused opens it at once. More forgives a flaky
    featurizer for longer, and makes more calls wait for one that hangs."""
    first_rest_s: PositiveFloat = 1.0
    """Seconds that a featurizer is left alone when the breaker opens. It doubles with each probe
    that fails."""
    longest_rest_s: PositiveFloat = Field(default=30.0, validate_default=True)
    """Most seconds between two probes, so the longest that a featurizer that is back goes
    unnoticed; at least first_rest_s."""

    @field_validator("longest_rest_s")
    @classmethod
    def _longer(cls, longest: float, info: ValidationInfo) -> float:
        first = info.data.get("first_rest_s", longest)  # absent where it was refused itself
        if longest < first:
            raise PydanticCustomError(
                "shorter_than_first",
                "expected at least first_rest_s, which is {first}, got {longest}",
                {"first": first, "longest": longest},
            )
        return longest


class RestingError(Exception):
    """The breaker is open, or its probe is under way: nothing is asked."""

    def __init__(self, kind: type[Exception], why: str, seconds: float) -> None:
        self.kind = kind
        """Class of the error that opened it."""
        self.why = why
        """What that said."""
        self.seconds = seconds
        """Until the next probe; 0 while that is under way."""
        super().__init__(f"left alone for {seconds:.1f} s more, after: {why}")


class Breaker:
    """Closed: questions pass. Open: none does. Half-open: one does, and decides.

    Safe to use from several threads. Answers to what was asked before the last change of state are
    not counted: they tell of a time that is over.
    """

    def __init__(
        self,
        settings: BreakerSettings,
        judge: Judge,
        *,
        told: Told = lambda change: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._judge = judge
        self._told = told
        self._clock = clock
        self._lock = threading.Lock()
        self._era = 0
        self._failures = 0
        self._rest_s = settings.first_rest_s
        self._rests_until = 0.0
        self._kind: type[Exception] = Exception
        self._why = ""
        self.state: State = "closed"
        """What it is now."""

    @contextmanager
    def question(self) -> Iterator[None]:
        """Let the block ask, and learn from how it ends.

        Raises:
            RestingError: nothing is to be asked now.
        """
        era = self._enter()
        try:
            yield
        except Exception as error:
            self._leave(era, self._judge(error), error)
            raise
        except BaseException:
            self._leave(era, "unclear", None)
            raise
        self._leave(era, "answered", None)

    def _enter(self) -> int:
        with self._lock:
            if self.state == "closed":
                return self._era
            now = self._clock()
            if self.state == "half_open" or now < self._rests_until:
                raise RestingError(self._kind, self._why, max(0.0, self._rests_until - now))
            self._change(Change("half_open"))
            return self._era

    def _leave(self, era: int, verdict: Verdict, error: Exception | None) -> None:
        with self._lock:
            if era != self._era:
                return
            if self.state == "half_open":
                self._probed(verdict, error)
            elif verdict == "answered":
                self._failures = 0
            elif error is not None and verdict != "unclear":
                self._failures += 1
                if verdict == "hopeless" or self._failures >= self._settings.failures:
                    self._open(self._settings.first_rest_s, error)

    def _probed(self, verdict: Verdict, error: Exception | None) -> None:
        if verdict == "answered":
            self._failures = 0
            self._change(Change("closed"))
        elif verdict == "unclear" or error is None:
            self._change(Change("open", 0.0, self._why))  # so the next one may try at once
        else:
            self._open(min(2 * self._rest_s, self._settings.longest_rest_s), error)

    def _open(self, rest_s: float, error: Exception) -> None:
        self._rest_s = rest_s
        self._rests_until = self._clock() + rest_s
        self._kind, self._why = type(error), str(error)
        self._change(Change("open", rest_s, self._why))

    def _change(self, change: Change) -> None:
        self.state = change.state
        self._era += 1
        try:
            self._told(change)
        except Exception:  # else a probe that began would never end
            log.exception("nobody could be told that a circuit breaker is %s", change.state)
