"""Micro-batches: what many callers ask for at once is computed together, off the event loop."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

from server.errors import DeadlinePassedError, FaultError, ShuttingDownError
from server.stopwatch import Stopwatch, Times

LEARNING = 0.1
"""Weight of the newest micro-batch in the mean that says how long a job takes."""

JobT = TypeVar("JobT")
AnswerT = TypeVar("AnswerT")

Work = Callable[[Sequence[JobT], Stopwatch], Sequence[AnswerT | Exception]]
"""Computes a micro-batch: one answer for each job, in order; an exception fails its job alone."""

Taken = Callable[[int, int], None]
"""Told of a micro-batch before it is computed: its jobs, and how many wait on."""


@dataclass(frozen=True)
class Timed(Generic[AnswerT]):
    """An answer and where its time went."""

    answer: AnswerT
    times: Times


@dataclass(eq=False)
class _Entry(Generic[JobT, AnswerT]):
    job: JobT
    future: asyncio.Future[Timed[AnswerT]]
    deadline: float
    queued: float


class MicroBatcher(Generic[JobT, AnswerT]):
    """Collects jobs and computes them together in an executor.

    A batch starts as soon as one of `at_once` places is free (or `wait_s` later, to
    gather company), with whatever has come by then, at most `most` jobs. So an idle
    server answers at once, and a busy one batches without being told to. A job whose
    caller has left is dropped, and one whose deadline has passed is failed, before
    they cost anything. A batch that raises fails every job in it.

    Belongs to the event loop it was made in.
    """

    def __init__(
        self,
        work: Work[JobT, AnswerT],
        executor: Executor,
        *,
        most: int,
        at_once: int,
        wait_s: float = 0.0,
        taken: Taken = lambda jobs, left: None,
    ) -> None:
        self._work = work
        self._executor = executor
        self._most = most
        self._at_once = at_once
        self._under_way = 0
        self._job_s = 0.0
        self._wait_s = wait_s
        self._taken = taken
        self._free = at_once
        self._queue: deque[_Entry[JobT, AnswerT]] = deque()
        self._loop = asyncio.get_running_loop()
        self._running: set[asyncio.Task[None]] = set()
        self._closed = False

    def strain(self, deadline: float, queue_s: float) -> float:
        """Tell how much of the time that there is a job that is submitted now would take.

        There is half of the time to `deadline`, which is in the event loop's time, and for a job
        that would have to wait for others at most `queue_s`. Above 1 it had better not be
        submitted. It is guessed from what jobs took lately; nothing is known before the first.
        """
        others = len(self._queue) + self._under_way
        expected_s = (others / self._at_once + 1) * self._job_s
        left_s = (deadline - self._loop.time()) / 2
        if others:
            left_s = min(left_s, queue_s)
        if expected_s > left_s:
            # Who turns jobs away learns nothing of them; so what was learned fades.
            self._job_s *= 1 - LEARNING / 2
        return expected_s / max(left_s, 1e-6)

    def submit(self, job: JobT, *, deadline: float) -> Awaitable[Timed[AnswerT]]:
        """Queue a job; the returned future has its answer.

        `deadline` is in the event loop's time.

        Raises:
            ShuttingDownError: the batcher is closed.
            DeadlinePassedError: through the future; the deadline came before the job's turn.
        """
        if self._closed:
            raise ShuttingDownError
        future: asyncio.Future[Timed[AnswerT]] = self._loop.create_future()
        self._queue.append(_Entry(job, future, deadline, perf_counter()))
        if self._free:
            self._start()
        return future

    async def close(self) -> None:
        """Fail what is queued, and wait for what is being computed. Closing twice is harmless."""
        self._closed = True
        for entry in self._queue:
            if not entry.future.done():
                entry.future.set_exception(ShuttingDownError())
        self._queue.clear()
        if self._running:
            await asyncio.wait(self._running)

    def _start(self) -> None:
        """Take a place and work until the queue is empty."""
        self._free -= 1
        task = self._loop.create_task(self._drain())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _drain(self) -> None:
        try:
            # A turn of the loop, so that jobs submitted together end up together.
            await asyncio.sleep(self._wait_s)
            while batch := self._take():
                self._taken(len(batch), len(self._queue))
                await self._compute(batch)
        finally:
            self._free += 1

    def _take(self) -> list[_Entry[JobT, AnswerT]]:
        """Take the next jobs that somebody still waits for."""
        batch: list[_Entry[JobT, AnswerT]] = []
        now = self._loop.time()
        while self._queue and len(batch) < self._most:
            entry = self._queue.popleft()
            if entry.future.done():  # cancelled: the caller has left
                continue
            if entry.deadline <= now:
                entry.future.set_exception(DeadlinePassedError())
                continue
            batch.append(entry)
        return batch

    async def _compute(self, batch: list[_Entry[JobT, AnswerT]]) -> None:
        watch = Stopwatch()
        started = perf_counter()
        self._under_way += len(batch)
        jobs = [entry.job for entry in batch]
        answers: Sequence[AnswerT | Exception]
        try:
            answers = await self._loop.run_in_executor(self._executor, self._work, jobs, watch)
        except Exception as error:  # noqa: BLE001 - whatever it was, each caller hears of it
            answers = [error] * len(batch)
        finally:
            self._under_way -= len(batch)
        self._learn((perf_counter() - started) / len(batch))
        if len(answers) != len(batch):
            answers = [FaultError()] * len(batch)
        for entry, answer in zip(batch, answers, strict=True):
            if entry.future.done():
                continue
            if isinstance(answer, Exception):
                entry.future.set_exception(answer)
            else:
                times = watch.times().plus_queue(started - entry.queued)
                entry.future.set_result(Timed(answer, times))

    def _learn(self, job_s: float) -> None:
        """Keep a running mean of what one job takes while its micro-batch is computed."""
        weight = LEARNING if self._job_s else 1.0
        self._job_s += weight * (job_s - self._job_s)
