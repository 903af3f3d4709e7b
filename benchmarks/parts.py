"""Tell the parts of a program apart by the clock, without a word of it in the program itself."""

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Literal, ParamSpec, TypeVar
from unittest.mock import patch

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Part:
    """A kind of work."""

    title: str
    every: Literal["step", "epoch", "training"]
    """How often it comes."""
    whole: bool = False
    """Whether only other whole parts are told apart inside it: the forward pass of a validation
    is validation."""


class PartClock:
    """Charges time to the innermost part that is open."""

    def __init__(self) -> None:
        self.seconds: defaultdict[Part, float] = defaultdict(float)
        self.entered: defaultdict[Part, int] = defaultdict(int)
        self._open: list[Part] = []
        self._since = 0.0

    @contextmanager
    def inside(self, part: Part) -> Iterator[None]:
        """Charge `part` for a while, and nothing to the parts around it."""
        if self._open and self._open[-1].whole and not part.whole:
            yield
            return
        self._charge()
        self._open.append(part)
        self.entered[part] += 1
        try:
            yield
        finally:
            self._charge()
            self._open.pop()

    def so_far(self) -> defaultdict[Part, float]:
        """Copy what has been charged until now."""
        self._charge()
        return self.seconds.copy()

    def _charge(self) -> None:
        now = perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def timed(
        self, call: Callable[_Arguments, _Result], part: Part
    ) -> Callable[_Arguments, _Result]:
        """Wrap a function."""

        @functools.wraps(call)
        def inside(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
            with self.inside(part):
                return call(*arguments, **named)

        return inside

    def each(self, items: Iterable[_Result], first: Part, later: Part) -> Iterator[_Result]:
        """Time the waiting for each item; the first may have to prepare all."""
        iterator, part = iter(items), first
        while True:
            with self.inside(part):
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item
            part = later

    @contextmanager
    def watching(self, places: Iterable[tuple[object, str, Part]]) -> Iterator[None]:
        """Wrap functions where they stand, by their owner and name, for a while."""
        with ExitStack() as stack:
            for owner, name, part in places:
                stack.enter_context(
                    patch.object(owner, name, self.timed(getattr(owner, name), part))
                )
            yield
