"""An endless stream through a bounded number of chunks under way, each in a thread."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import islice
from typing import TypeVar

from nearfield.batch import Batch
from nearfield.blocking import Errand, Wire
from nearfield.errors import NearfieldError
from nearfield.streams import ENDING, SendChunk

E = TypeVar("E")
R = TypeVar("R")


def stream(
    elements: Iterable[E], send: SendChunk[E, R], wire: Wire, in_flight: int, chunk: int
) -> Generator[tuple[E, R | NearfieldError], None, None]:
    """Give each element with its outcome, in order.

    The source is read in the consumer's thread, whenever there is room for a whole chunk, so never
    more than in_flight chunks before the consumer has had their outcomes. A consumer who leaves
    cancels what is under way.

    Raises:
        NearfieldError: what every later chunk would meet too.
        Exception: what the source raises, after the outcomes of every whole chunk before.
    """
    errand = Errand()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="nearfield-stream")

    def start(part: Sequence[E]) -> "Future[Batch[R]]":
        # What gives a call's metadata sees the consumer's context, not the thread's.
        return pool.submit(copy_context().run, wire.run, send(part), errand)

    try:
        for part, future in _under_way(_chunks(elements, chunk), start, in_flight):
            for element, outcome in zip(part, future.result(), strict=True):
                if isinstance(outcome, ENDING):
                    raise outcome
                yield element, outcome
    finally:
        wire.give_up(errand)
        pool.shutdown(cancel_futures=True)


def _chunks(elements: Iterable[E], chunk: int) -> Generator[list[E], None, None]:
    source = iter(elements)
    while part := list(islice(source, chunk)):
        yield part
        if len(part) < chunk:
            return


def _under_way(
    chunks: Iterable[list[E]],
    start: Callable[[Sequence[E]], "Future[Batch[R]]"],
    in_flight: int,
) -> Generator[tuple[list[E], "Future[Batch[R]]"], None, None]:
    """Keep chunks under way, the one that is being consumed counted, and give the oldest."""
    source = iter(chunks)
    started: deque[tuple[list[E], Future[Batch[R]]]] = deque()
    broken: Exception | None = None
    while True:
        try:
            for part in islice(source, in_flight - len(started)):
                started.append((part, start(part)))
        except Exception as error:  # noqa: BLE001  the source's own, raised when its turn comes
            broken = error
        if started:
            yield started.popleft()
        elif broken:
            raise broken
        else:
            return
