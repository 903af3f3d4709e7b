"""Where the time of a call goes, by stage."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from time import perf_counter
from typing import Literal, Self

Stage = Literal["validation", "featurizer", "model", "retrieval"]


@dataclass(frozen=True)
class Times:
    """Seconds spent in each stage."""

    validation: float = 0.0
    queue: float = 0.0
    featurizer: float = 0.0
    model: float = 0.0
    retrieval: float = 0.0

    def plus_queue(self, seconds: float) -> "Times":
        """Add time spent waiting for a micro-batch."""
        return replace(self, queue=self.queue + seconds)

    def __add__(self, other: Self) -> "Times":
        """Add stage by stage, for parts that ran one after the other."""
        return Times(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Times)))

    @staticmethod
    def slowest(parts: Iterable["Times"]) -> "Times":
        """Take the longest of each stage, for parts that ran side by side."""
        every = [Times(), *parts]
        return Times(*(max(getattr(part, f.name) for part in every) for f in fields(Times)))


NO_TIMES = Times()


class Stopwatch:
    """Adds up the seconds of each stage; for one thread at a time."""

    def __init__(self) -> None:
        self._seconds: dict[Stage, float] = {}

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Count the time inside the block for a stage."""
        started = perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = self._seconds.get(name, 0.0) + perf_counter() - started

    def times(self) -> Times:
        """Return what has been counted so far."""
        return Times(**self._seconds)
