"""Micro-batches: what many callers ask for at once is computed together, off the event loop.

A thread that wants the interpreter gets it from a busy event loop only when that has held it for
the whole of Python's switch interval, and has to ask again whenever numpy let go of it. So the
threads that compute take their jobs themselves, instead of being sent them from the loop.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, TypeVar

from server.errors import DeadlinePassedError, FaultError, ShuttingDownError
from server.stopwatch import NO_TIMES, Stopwatch, Times

log = logging.getLogger(__name__)

SWITCH_S = 0.0005
"""Python's switch interval in a process that answers; its default of 0.005 is longer than most
micro-batches take."""
LEARNING = 0.1
"""Weight of the newest micro-batch in the mean that says how long a job takes."""

FADES_S = 1.0
"""Seconds of idleness after which a job is expected to take half of what jobs took last."""

JobT = TypeVar("JobT")
AnswerT = TypeVar("AnswerT")

Work = Callable[[Sequence[JobT], Stopwatch], Sequence[AnswerT | Exception]]
"""Computes a micro-batch: one answer for each job, in order; an exception fails its job alone."""

Taken = Callable[[int, int], None]
"""Told of a micro-batch that was computed: its jobs, and how many waited on when it began."""


@dataclass(frozen=True)
class Timed(Generic[AnswerT]):
    """An answer and where its time went."""

    answer: AnswerT
    times: Times
    read: bool = False
    """Whether it was read, where others are computed."""


@dataclass(eq=False)
class _Entry(Generic[JobT, AnswerT]):
    job: JobT
    future: asyncio.Future[Timed[AnswerT]]
    deadline: float
    queued: float


@dataclass(eq=False)
class _Batch(Generic[JobT, AnswerT]):
    """What a thread took from the queue, and what became of it."""

    entries: list[_Entry[JobT, AnswerT]] = field(default_factory=list)
    late: list[_Entry[JobT, AnswerT]] = field(default_factory=list)
    """Those whose deadline has passed."""
    left: int = 0
    """How many of them nobody waits for any more."""
    waiting: int = 0
    """Jobs in the queue after it."""
    began: float = 0.0
    answers: Sequence[AnswerT | Exception] = ()
    times: Times = NO_TIMES
    job_s: float = 0.0
    last: bool = False
    """Whether its thread found nothing more to do, and gives its place back."""


class MicroBatcher(Generic[JobT, AnswerT]):
    """Collects jobs and computes them together in an executor.

    A batch starts as soon as one of `at_once` places is free (or `wait_s` later, to
    gather company), with whatever has come by then, at most `most` jobs. So an idle
    server answers at once, and a busy one batches without being told to. A job whose
    caller has left is dropped, and one whose deadline has passed is failed, before
    they cost anything. A batch that raises fails every job in it: with what was
    raised where that is an Exception, else with a FaultError, as for a panic of a
    library in Rust. Whatever goes wrong, its place is given back.

    Belongs to the event loop it was made in. Batchers that share an executor get their turns in
    it batch by batch.
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
        self._unanswered = 0
        self._job_s = 0.0
        self._learned = 0.0
        self._wait_s = wait_s
        self._taken = taken
        self._free = at_once
        self._queue: deque[_Entry[JobT, AnswerT]] = deque()
        self._loop = asyncio.get_running_loop()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    def strain(self, deadline: float, queue_s: float) -> float:
        """Tell how much of the time that there is a job that is submitted now would take.

        There is half of the time to `deadline`, which is in the event loop's time, and for a job
        that would have to wait for others at most `queue_s`. Above 1 it had better not be
        submitted. It is guessed from what jobs took lately; nothing is known before the first.
        """
        others, now = self._unanswered, self._loop.time()
        # Who turns jobs away learns nothing of them; so what was learned fades while nothing runs.
        idle_s = 0.0 if others else now - self._learned
        expected_s = (others / self._at_once + 1) * self._job_s * 2 ** (-idle_s / FADES_S)
        left_s = (deadline - now) / 2
        if others:
            left_s = min(left_s, queue_s)
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
        self._unanswered += 1
        if self._free:
            self._start()
        return future

    async def close(self) -> None:
        """Fail what is queued, and wait for what is being computed. Closing twice is harmless."""
        self._closed = True
        self._fail_queued(ShuttingDownError)
        await self._idle.wait()

    def _fail_queued(self, kind: type[Exception]) -> None:
        with suppress(IndexError):  # a thread may take what is left
            while True:
                future = self._queue.popleft().future
                self._unanswered -= 1
                if not future.done():
                    future.set_exception(kind())

    def _start(self) -> None:
        """Take a place, after a turn of the loop, so that jobs submitted together end together."""
        self._free -= 1
        self._idle.clear()
        if self._wait_s:
            self._loop.call_later(self._wait_s, self._begin)
        else:
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        """Have a thread take a turn; without one, nothing that is queued would be answered."""
        if not self._line_up():
            self._fail_queued(FaultError)
            self._give_back()

    def _line_up(self) -> bool:
        try:
            self._executor.submit(self._turn)
        except RuntimeError:  # no thread could be started, or the executor is shut down
            log.exception("a micro-batch could not begin")
            return False
        return True

    def _turn(self) -> None:
        """Compute one batch, in a thread of the executor, and line up for the next."""
        batch = self._take()
        if batch.entries:
            self._compute(batch)
        batch.last = not self._queue or not self._line_up()
        self._loop.call_soon_threadsafe(self._answer, batch)

    def _take(self) -> _Batch[JobT, AnswerT]:
        """Take the next jobs that somebody still waits for; other threads may do the same."""
        batch: _Batch[JobT, AnswerT] = _Batch()
        now = self._loop.time()
        while len(batch.entries) < self._most:
            try:
                entry = self._queue.popleft()
            except IndexError:
                break
            if entry.future.done():  # cancelled: the caller has left
                batch.left += 1
            elif entry.deadline <= now:
                batch.late.append(entry)
            else:
                batch.entries.append(entry)
        batch.waiting = len(self._queue)
        batch.began = perf_counter()
        return batch

    def _compute(self, batch: _Batch[JobT, AnswerT]) -> None:
        watch = Stopwatch()
        jobs = [entry.job for entry in batch.entries]
        try:
            batch.answers = self._work(jobs, watch)
            if len(batch.answers) != len(jobs):
                log.error("%d jobs got %d answers", len(jobs), len(batch.answers))
                batch.answers = [FaultError()] * len(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it was, each caller hears of it
            batch.answers = [error] * len(jobs)
        except BaseException:  # such as pyo3's PanicException; an executor would swallow it
            log.exception("a micro-batch of %d jobs failed", len(jobs))
            batch.answers = [FaultError()] * len(jobs)
        batch.times = watch.times()
        batch.job_s = (perf_counter() - batch.began) / len(jobs)

    def _answer(self, batch: _Batch[JobT, AnswerT]) -> None:
        """Tell the callers, on the event loop."""
        self._unanswered -= len(batch.entries) + len(batch.late) + batch.left
        try:
            for entry in batch.late:
                _settle(entry.future, DeadlinePassedError())
            for entry, answer in zip(batch.entries, batch.answers, strict=True):
                if isinstance(answer, BaseException):
                    _settle(entry.future, answer)
                elif not entry.future.done():
                    times = batch.times.plus_queue(batch.began - entry.queued)
                    entry.future.set_result(Timed(answer, times))
        finally:
            if batch.last:
                self._give_back()
        if batch.entries:
            self._learn(batch.job_s)
            self._tell(len(batch.entries), batch.waiting)

    def _tell(self, jobs: int, waiting: int) -> None:
        try:
            self._taken(jobs, waiting)
        except Exception:
            log.exception("a micro-batch could not be counted")

    def _give_back(self) -> None:
        """Free a place, unless jobs came since its thread looked."""
        self._free += 1
        if self._queue:
            self._start()
        elif self._free == self._at_once:
            self._idle.set()

    def _learn(self, job_s: float) -> None:
        """Keep a running mean of what one job takes while its micro-batch is computed."""
        weight = LEARNING if self._job_s else 1.0
        self._job_s += weight * (job_s - self._job_s)
        self._learned = self._loop.time()


def _settle(future: asyncio.Future[Timed[AnswerT]], error: BaseException) -> None:
    """Fail a job that somebody still waits for, with what a future can be given."""
    if future.done():
        return
    # A StopIteration cannot be raised into a coroutine, and what is no Exception would end it
    # unseen.
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        future.set_exception(error)
    else:
        log.error("a job failed", exc_info=error)
        future.set_exception(FaultError())
