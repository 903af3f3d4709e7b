"""An endless stream through a bounded number of chunks under way, by awaiting."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeAlias, TypeVar

from nearfield.batch import Batch
from nearfield.errors import NearfieldError
from nearfield.streams import ENDING

E = TypeVar("E")
R = TypeVar("R")

Chunk: TypeAlias = tuple[list[E], asyncio.Task[Batch[R]]]


async def stream(
    elements: AsyncIterable[E] | Iterable[E],
    send: Callable[[Sequence[E]], Awaitable[Batch[R]]],
    in_flight: int,
    chunk: int,
) -> AsyncGenerator[tuple[E, R | NearfieldError], None]:
    """Give each element with its outcome, in order.

    Elements are taken from the source when there is room for a whole chunk, so never more than
    in_flight chunks of them before the consumer has had their outcomes. The source is read while
    results are given: neither of the two waits for the other longer than it must.

    Raises:
        NearfieldError: what every later chunk would meet too.
        Exception: what the source raises, after the outcomes of every whole chunk before.
    """
    feed = _Feed(elements, send, in_flight, chunk)
    try:
        while (under_way := await feed.next()) is not None:
            part, task = under_way
            for element, outcome in zip(part, await task, strict=True):
                if isinstance(outcome, ENDING):
                    raise outcome
                yield element, outcome
            feed.finished()
    finally:
        await feed.cancel()


class _Feed(Generic[E, R]):
    """Reads the source and keeps chunks under way."""

    def __init__(
        self,
        elements: AsyncIterable[E] | Iterable[E],
        send: Callable[[Sequence[E]], Awaitable[Batch[R]]],
        in_flight: int,
        chunk: int,
    ) -> None:
        self._send = send
        self._chunk = chunk
        self._room = asyncio.Semaphore(in_flight)
        self._started: asyncio.Queue[Chunk[E, R] | None] = asyncio.Queue()
        self._under_way: deque[asyncio.Task[Batch[R]]] = deque()
        self._reader = asyncio.create_task(self._read(_awaited(elements)))

    async def next(self) -> Chunk[E, R] | None:
        """Give the oldest chunk that was not given yet; None at the end of the source."""
        started = await self._started.get()
        if started is None:
            await self._reader  # raises what ended it
        return started

    def finished(self) -> None:
        """Make room: the oldest chunk's outcomes were consumed."""
        self._under_way.popleft()
        self._room.release()

    async def cancel(self) -> None:
        """Cancel what is under way, and wait until it is."""
        tasks = (self._reader, *self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, elements: AsyncIterable[E]) -> None:
        try:
            await self._room.acquire()
            part: list[E] = []
            async for element in elements:
                part.append(element)
                if len(part) == self._chunk:
                    self._start(part)
                    part = []
                    await self._room.acquire()
            if part:
                self._start(part)
        finally:
            self._started.put_nowait(None)

    def _start(self, part: list[E]) -> None:
        task = asyncio.ensure_future(self._send(part))
        self._under_way.append(task)
        self._started.put_nowait((part, task))


async def _awaited(elements: AsyncIterable[E] | Iterable[E]) -> AsyncGenerator[E, None]:
    if isinstance(elements, AsyncIterable):
        async for element in elements:
            yield element
    else:
        for element in elements:
            yield element
