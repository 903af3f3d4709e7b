"""Calls at a constant pace, whether the ones before are answered or not, and as fast as they go."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

AT_ONCE = 24
"""Calls under way when it is found out how many are answered."""


@dataclass(frozen=True)
class Done:
    """One call that is over."""

    due_s: float
    """When it was to begin, by the monotonic clock."""
    took_s: float
    """From then to its end: what a caller waits where callers come at a constant pace."""
    what: str
    outcome: str
    """OK, or why it failed."""


Send = Callable[[], Awaitable[tuple[str, str]]]
"""Makes a call, and tells what it was and how it ended. Raises nothing."""


async def keep_pace(send: Send, per_s: float, over: asyncio.Event, done: list[Done]) -> None:
    """Begin calls at a constant pace until it is over, then wait for those under way.

    What is in memory by then, all modules among it, is set aside meanwhile: the garbage collector
    would look at it again and again, and halt the calls each time.
    """
    gc.collect()
    gc.freeze()
    under_way: set[asyncio.Task[None]] = set()

    async def one(due_s: float) -> None:
        what, outcome = await send()
        done.append(Done(due_s, time.monotonic() - due_s, what, outcome))

    due_s = time.monotonic()
    while not over.is_set():
        task = asyncio.ensure_future(one(due_s))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        due_s += 1 / per_s
        await asyncio.sleep(max(0.0, due_s - time.monotonic()))
    await asyncio.gather(*under_way)
    gc.unfreeze()


async def capacity(send: Send, seconds: float) -> float:
    """Measure how many calls are answered per second when a number of them is always under way."""
    until = time.monotonic() + seconds
    answered = 0

    async def asking() -> None:
        nonlocal answered
        while time.monotonic() < until:
            await send()
            answered += 1

    await asyncio.gather(*(asking() for _ in range(AT_ONCE)))
    return answered / seconds


def late_ms(done: list[Done], share: float) -> float:
    """Give a quantile of what calls took, in milliseconds; NaN of none."""
    if not done:
        return float("nan")
    return float(np.quantile([each.took_s for each in done], share) * 1000)
