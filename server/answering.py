"""What answering a call takes, whatever the RPC: read, run, add up the time; one or many."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from export.generation import Manifest
from nearfield.v1 import types_pb2
from server.batcher import Timed
from server.calls import CURRENT
from server.dispatch import Dispatcher
from server.statuses import reason_of, row_of, to_status
from server.stopwatch import Stopwatch, Times
from server.wire import write_timing

SIDE_BY_SIDE = 32
"""Elements of one batch that are under way at once: enough to fill micro-batches, and few enough
that calls for one person are not kept waiting by a batch of hundreds."""
LARGE_REQUEST_BYTES = 16_384
"""Reading a longer request would hold the event loop for a millisecond and more."""

RequestT = TypeVar("RequestT", bound=Message)
TaskT = TypeVar("TaskT")
AnswerT = TypeVar("AnswerT")

Run = Callable[[TaskT, float], Awaitable[Timed[AnswerT]]]
"""Computes the answer to a task, until a deadline in the event loop's time."""


class Answering:
    """Answers calls for one generation."""

    def __init__(self, dispatcher: Dispatcher, manifest: Manifest) -> None:
        self._dispatcher = dispatcher
        self._manifest = manifest

    async def one(
        self,
        request: RequestT,
        read: Callable[[RequestT], TaskT],
        run: Run[TaskT, AnswerT],
    ) -> Timed[AnswerT]:
        """Answer one request.

        Raises:
            Exception: whatever reading or computing raises.
        """
        watch = Stopwatch()
        with watch.stage("validation"):
            task = await self._read(request.ByteSize(), lambda: read(request))
        call = CURRENT.get()
        timed = await run(task, call.deadline)
        call.read += timed.read
        call.computed += not timed.read
        return Timed(timed.answer, timed.times + watch.times())

    async def many(
        self,
        requests: Sequence[RequestT],
        read: Callable[[RequestT], TaskT],
        run: Run[TaskT, AnswerT],
        *,
        check: Callable[[Sequence[TaskT]], None] = lambda tasks: None,
    ) -> tuple[list[AnswerT | Exception], Times]:
        """Answer many requests side by side; what one of them raises is its own answer.

        `check` sees all the readable tasks first and may refuse the whole batch.
        """
        watch = Stopwatch()
        with watch.stage("validation"):
            size = sum(request.ByteSize() for request in requests)
            tasks = await self._read(size, lambda: [_try(read, each) for each in requests])
            check([task for task in tasks if not isinstance(task, Exception)])
        call = CURRENT.get()
        call.patient = True
        places = asyncio.Semaphore(SIDE_BY_SIDE)
        outcomes = await asyncio.gather(
            *(_run(run, task, call.deadline, places) for task in tasks), return_exceptions=True
        )
        answers: list[AnswerT | Exception] = []
        times: list[Times] = []
        found = 0
        for outcome in outcomes:
            if isinstance(outcome, Timed):
                times.append(outcome.times)
                found += outcome.read
                answers.append(outcome.answer)
            elif isinstance(outcome, Exception):
                answers.append(outcome)
            else:
                raise outcome
        call.read += found
        call.computed += len(times) - found
        return answers, Times.slowest(times) + watch.times()

    def info(self, times: Times) -> types_pb2.ResponseInfo:
        """Write what an answer says about itself."""
        call = CURRENT.get()
        call.times = times
        total_s = asyncio.get_running_loop().time() - call.started
        return types_pb2.ResponseInfo(
            generation=self._manifest.generation,
            space_id=self._manifest.space_id,
            request_id=call.request_id,
            timing=write_timing(times, total_s),
        )

    async def _read(self, size: int, read: Callable[[], TaskT]) -> TaskT:
        if size <= LARGE_REQUEST_BYTES:
            return read()
        return await self._dispatcher.aside(read)


def status_of(answer: object) -> Status:
    """Write the status of an element of a batch."""
    if isinstance(answer, Exception):
        call = CURRENT.get()
        call.element_reasons += (reason_of(row_of(answer)),)
        return to_status(answer, call.request_id)
    return Status()


def _try(read: Callable[[RequestT], TaskT], request: RequestT) -> TaskT | Exception:
    try:
        return read(request)
    except Exception as error:  # noqa: BLE001 - it becomes the element's status
        return error


async def _run(
    run: Run[TaskT, AnswerT],
    task: TaskT | Exception,
    deadline: float,
    places: asyncio.Semaphore,
) -> Timed[AnswerT]:
    if isinstance(task, Exception):
        raise task
    async with places:
        return await run(task, deadline)
