"""How far long work has come: a bar on a terminal, a line now and then everywhere else."""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

from tqdm import tqdm

EVERY_S = 30.0
"""Seconds between two lines where there is no terminal, so that short work says nothing."""


class Progress:
    """Context manager: tells on standard error how far some work has come.

    On a terminal it is a bar, which goes when the work is done. In a log it is a line at most every
    `EVERY_S` seconds: how much is done of how much, how fast, and how long the rest takes at that
    pace. `total` is None until it is known. `begun` is what an earlier run had done already.
    """

    def __init__(
        self,
        title: str,
        *,
        unit: str,
        total: int | None = None,
        begun: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.title = title
        self.total = total
        self.done = begun
        self._unit = unit
        self._begun = begun
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._started = self._told = clock()
        self._bar = tqdm(
            desc=title,
            total=total,
            initial=begun,
            unit=unit,
            unit_scale=unit == "B",
            leave=False,
            file=self._stream,
            disable=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()

    def add(self, count: int, note: str = "") -> None:
        """Tell that `count` more are done; `note` stands at the end of the bar or the line."""
        self.done += count
        self._bar.set_postfix_str(note, refresh=False)
        self._bar.update(count)
        self._tell_if_due(note)

    def reach(self, done: int, total: int) -> None:
        """Tell that `done` of `total` are done."""
        self.total = self._bar.total = total
        self.add(done - self.done)

    def turn_to(self, title: str) -> None:
        """Tell that the next part of the work begins, which counts from 0."""
        if title == self.title:
            return
        self.title, self.done, self._begun, self.total = title, 0, 0, None
        self._started = self._clock()
        if not self._bar.disable:
            self._bar.reset()
            self._bar.set_description(title)

    def _tell_if_due(self, note: str) -> None:
        now = self._clock()
        if not self._bar.disable or now - self._told < EVERY_S:
            return
        self._told = now
        parts = [f"{self.title}: {self._counted()}", *self._pace(now), *([note] if note else [])]
        self._stream.write(", ".join(parts) + "\n")
        self._stream.flush()

    def _counted(self) -> str:
        of = "" if self.total is None else f" of {self.total:,}"
        return f"{self.done:,}{of} {self._unit}"

    def _pace(self, now: float) -> list[str]:
        """Say how fast it goes, and what is left where the total is known."""
        rate = (self.done - self._begun) / max(now - self._started, 1e-9)
        if rate <= 0:
            return []
        told = [f"{rate:,.1f}/s" if rate < 100 else f"{rate:,.0f}/s"]
        if self.total is not None:
            told.append(f"{_span((self.total - self.done) / rate)} left")
        return told


def _span(seconds: float) -> str:
    """Write a span of time by its two largest units."""
    whole = math.ceil(max(seconds, 0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
