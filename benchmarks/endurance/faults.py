"""What goes wrong during a soak, when it does, and which errors may come of it."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from benchmarks.endurance.server import Operator, other
from benchmarks.endurance.stand_in import Mood, StandIn
from nearfield import Reason
from server.settings import Settings

SWAP_EVERY_S = 60.0
KILL_EVERY_S = 120.0
FEATURIZER_EVERY_S = 45.0
FEATURIZER_FOR_S = 10.0
SETTLE_S = 15.0
"""How long after a fault its errors may still come: calls under way, a worker that starts, a
featurizer that counts as away for a moment more."""
OF_AGE_S: float = 1.1 * Settings.model_fields["connection_age_s"].default
"""How long connections may stay with those who were left when a worker died: their age by default,
and the tenth that gRPC adds."""


class Fault(Enum):
    """What goes wrong."""

    SWAP = "swap"
    KILL = "worker killed"
    AWAY = "vLLM away"
    SLOW = "vLLM slow"
    GARBAGE = "vLLM answers garbage"


@dataclass(frozen=True)
class Allowed:
    """Errors that the design names for a fault."""

    anybody: frozenset[str] = frozenset()
    """Of any call."""
    new_items: frozenset[str] = frozenset()
    """Of calls with new items alone."""


TURNED_AWAY = "TURNED_AWAY"
"""By gRPC itself, with CANCELLED, before anybody looked at the call."""
ALLOWED: Mapping[Fault, Allowed] = {
    Fault.SWAP: Allowed(),
    # The workers that are left are full, and say so; the SDK waits as it is told, twice.
    Fault.KILL: Allowed(anybody=frozenset({Reason.OVERLOADED, TURNED_AWAY})),
    Fault.AWAY: Allowed(new_items=frozenset({Reason.FEATURIZER_UNAVAILABLE, Reason.OVERLOADED})),
    Fault.SLOW: Allowed(
        new_items=frozenset(
            {Reason.FEATURIZER_UNAVAILABLE, Reason.DEADLINE_PASSED, Reason.OVERLOADED}
        )
    ),
    Fault.GARBAGE: Allowed(
        new_items=frozenset({Reason.FEATURIZER_FAILED, Reason.FEATURIZER_UNAVAILABLE})
    ),
}
"""The one list; whatever else comes is a failure of the soak."""


@dataclass(frozen=True)
class Happened:
    """A fault that took place, by the monotonic clock."""

    fault: Fault
    begin_s: float
    end_s: float


@dataclass
class Faults:
    """Every fault of a run."""

    happened: list[Happened] = field(default_factory=list)

    def of(self, begin_s: float, end_s: float) -> set[Fault]:
        """Give the faults that a call met that was due and over at these times."""
        return {
            each.fault
            for each in self.happened
            if each.begin_s <= end_s and begin_s <= each.end_s + settle_s(each.fault)
        }

    def explain(self, reason: str, begin_s: float, end_s: float, *, new_item: bool) -> bool:
        """Tell whether the design names an error for what was wrong at the time."""
        for fault in self.of(begin_s, end_s):
            allowed = ALLOWED[fault]
            if reason in allowed.anybody or (new_item and reason in allowed.new_items):
                return True
        return False


def settle_s(fault: Fault) -> float:
    """Tell how long after a fault its errors may still come."""
    return SETTLE_S + (OF_AGE_S if fault is Fault.KILL else 0.0)


Trouble = Callable[[int], Awaitable[Fault]]
"""Lets something go wrong, for the how manieth time, and tells what it was when it is over."""


class Troublemaker:
    """Lets things go wrong, on a timetable, until it is over; for one event loop."""

    def __init__(self, operator: Operator, stand_in: StandIn, over: asyncio.Event) -> None:
        self.faults = Faults()
        self._operator = operator
        self._stand_in = stand_in
        self._over = over

    async def run(self) -> None:
        """Follow the timetable."""
        await asyncio.gather(
            self._every(SWAP_EVERY_S, self._swap),
            self._every(KILL_EVERY_S, self._kill),
            self._every(FEATURIZER_EVERY_S, self._featurizer),
        )

    async def _every(self, seconds: float, trouble: Trouble) -> None:
        count = 0
        while not await self._waited(seconds):
            begin_s = time.monotonic()
            fault = await trouble(count)
            self.faults.happened.append(Happened(fault, begin_s, time.monotonic()))
            count += 1

    async def _waited(self, seconds: float) -> bool:
        """Wait, and tell whether it is over."""
        try:
            await asyncio.wait_for(self._over.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _swap(self, count: int) -> Fault:
        def swap() -> None:
            self._operator.activate(other(self._operator.generations(), self._operator.serving()))

        await asyncio.to_thread(swap)
        return Fault.SWAP

    async def _kill(self, _count: int) -> Fault:
        workers = await asyncio.to_thread(self._operator.workers)
        victim = workers[-1]  # always the same: another one lives long enough to tell its growth
        if victim.pid:
            os.kill(victim.pid, signal.SIGKILL)
        return Fault.KILL

    async def _featurizer(self, count: int) -> Fault:
        fault = FEATURIZER_FAULTS[count % len(FEATURIZER_FAULTS)]
        if fault is Fault.AWAY:
            await asyncio.to_thread(self._stand_in.go)
        else:
            self._stand_in.feel(MOODS[fault])
        await self._waited(FEATURIZER_FOR_S)
        if fault is Fault.AWAY:
            await asyncio.to_thread(self._stand_in.come)
        else:
            self._stand_in.feel(Mood.HONEST)
        return fault


FEATURIZER_FAULTS: Sequence[Fault] = (Fault.AWAY, Fault.SLOW, Fault.GARBAGE)
MOODS: Mapping[Fault, Mood] = {Fault.SLOW: Mood.SLOW, Fault.GARBAGE: Mood.GARBAGE}
