import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from server.batcher import MicroBatcher
from server.errors import DeadlinePassedError, FaultError, ShuttingDownError
from server.stopwatch import Stopwatch

FAR = float("inf")


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


class Doubler:
    """Doubles numbers, remembers its batches, and can be held up."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.begun = threading.Event()
        self.hold = threading.Event()
        self.hold.set()

    def __call__(self, jobs: Sequence[int], watch: Stopwatch) -> list[int | Exception]:
        self.batches.append(list(jobs))
        self.begun.set()
        self.threads.add(threading.current_thread().name)
        self.hold.wait(10)
        with watch.stage("model"):
            return [ValueError(f"{job}") if job < 0 else 2 * job for job in jobs]


def later() -> float:
    return asyncio.get_running_loop().time() + 60


async def test_jobs_submitted_together_are_computed_together(executor: ThreadPoolExecutor) -> None:
    work = Doubler()
    batcher = MicroBatcher(work, executor, most=64, at_once=2)
    answers = await asyncio.gather(*(batcher.submit(n, deadline=later()) for n in range(5)))
    assert [each.answer for each in answers] == [0, 2, 4, 6, 8]
    assert work.batches == [[0, 1, 2, 3, 4]]
    assert answers[0].times.model > 0
    await batcher.close()


async def test_jobs_that_come_while_all_places_are_taken_go_in_the_next_batch(
    executor: ThreadPoolExecutor,
) -> None:
    work = Doubler()
    work.hold.clear()
    batcher = MicroBatcher(work, executor, most=3, at_once=1)
    futures = [asyncio.ensure_future(batcher.submit(0, deadline=later()))]
    await asyncio.to_thread(work.begun.wait, 10)
    futures += [asyncio.ensure_future(batcher.submit(n, deadline=later())) for n in range(1, 6)]
    await asyncio.sleep(0.02)
    work.hold.set()
    answers = await asyncio.gather(*futures)
    assert work.batches == [[0], [1, 2, 3], [4, 5]]
    assert [each.answer for each in answers] == [0, 2, 4, 6, 8, 10]
    assert answers[5].times.queue > 0.015
    await batcher.close()


async def test_failed_job_fails_alone(executor: ThreadPoolExecutor) -> None:
    batcher = MicroBatcher(Doubler(), executor, most=8, at_once=1)
    jobs = (batcher.submit(n, deadline=later()) for n in (1, -1, 2))
    answers = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(answers[1], ValueError)
    assert [getattr(each, "answer", None) for each in answers] == [2, None, 4]
    await batcher.close()


async def test_batch_that_raises_fails_every_job_and_the_next_one_works(
    executor: ThreadPoolExecutor,
) -> None:
    work = Doubler()

    def first_fails(jobs: Sequence[int], watch: Stopwatch) -> list[int | Exception]:
        if not work.batches:
            work.batches.append(list(jobs))
            raise ZeroDivisionError
        return work(jobs, watch)

    batcher = MicroBatcher(first_fails, executor, most=8, at_once=1)
    failed = await asyncio.gather(
        *(batcher.submit(n, deadline=later()) for n in (1, 2)), return_exceptions=True
    )
    assert [type(each) for each in failed] == [ZeroDivisionError, ZeroDivisionError]
    assert (await batcher.submit(3, deadline=later())).answer == 6
    await batcher.close()


class Panic(BaseException):
    """As pyo3's PanicException: no Exception."""


class Panics:
    """Fails its first batch, and answers the next ones."""

    def __init__(self, failure: BaseException | list[int | Exception] | None) -> None:
        self._failures = [failure]

    def __call__(self, jobs: Sequence[int], watch: Stopwatch) -> list[int | Exception]:
        if not self._failures:
            return list(jobs)
        failure = self._failures.pop()
        if isinstance(failure, BaseException):
            raise failure
        return failure  # type: ignore[return-value]  # None is the wrong kind on purpose


@pytest.mark.parametrize(
    "failure", [Panic(), SystemExit(), asyncio.CancelledError(), None, [StopIteration()]]
)
async def test_whatever_work_raises_fails_its_jobs_and_leaves_the_place_free(
    executor: ThreadPoolExecutor, failure: BaseException | list[int | Exception] | None
) -> None:
    batcher = MicroBatcher(Panics(failure), executor, most=8, at_once=1)
    async with asyncio.timeout(10):
        with pytest.raises(FaultError if failure else TypeError):
            await batcher.submit(1, deadline=later())
        assert (await batcher.submit(2, deadline=later())).answer == 2
        await batcher.close()


async def test_metrics_that_raise_harm_no_job(executor: ThreadPoolExecutor) -> None:
    def broken(jobs: int, left: int) -> None:
        raise OSError("no space left for metrics")

    batcher = MicroBatcher(Doubler(), executor, most=1, at_once=1, taken=broken)
    async with asyncio.timeout(10):
        for _ in range(2):
            jobs = [batcher.submit(n, deadline=later()) for n in range(3)]
            assert [each.answer for each in await asyncio.gather(*jobs)] == [0, 2, 4]
        await batcher.close()


async def test_jobs_fail_where_no_thread_can_compute_them(executor: ThreadPoolExecutor) -> None:
    batcher = MicroBatcher(Doubler(), executor, most=8, at_once=1)
    executor.shutdown()
    async with asyncio.timeout(10):
        for _ in range(2):
            with pytest.raises(FaultError):
                await batcher.submit(1, deadline=later())
        await batcher.close()


async def test_wrong_number_of_answers_is_a_fault(executor: ThreadPoolExecutor) -> None:
    def forgetful(jobs: Sequence[int], watch: Stopwatch) -> list[int | Exception]:
        return [1]

    batcher = MicroBatcher(forgetful, executor, most=8, at_once=1)
    answers = await asyncio.gather(
        *(batcher.submit(n, deadline=later()) for n in (1, 2)), return_exceptions=True
    )
    assert [type(each) for each in answers] == [FaultError, FaultError]
    await batcher.close()


async def test_job_whose_caller_left_is_never_computed(executor: ThreadPoolExecutor) -> None:
    work = Doubler()
    work.hold.clear()
    batcher = MicroBatcher(work, executor, most=8, at_once=1)
    first = asyncio.ensure_future(batcher.submit(1, deadline=later()))
    await asyncio.to_thread(work.begun.wait, 10)
    gone = asyncio.ensure_future(batcher.submit(2, deadline=later()))
    stays = asyncio.ensure_future(batcher.submit(3, deadline=later()))
    gone.cancel()
    work.hold.set()
    assert (await first).answer == 2
    assert (await stays).answer == 6
    assert work.batches == [[1], [3]]
    await batcher.close()


async def test_job_whose_deadline_passed_in_the_queue_is_never_computed(
    executor: ThreadPoolExecutor,
) -> None:
    work = Doubler()
    work.hold.clear()
    batcher = MicroBatcher(work, executor, most=8, at_once=1)
    first = asyncio.ensure_future(batcher.submit(1, deadline=FAR))
    await asyncio.to_thread(work.begun.wait, 10)
    soon = asyncio.get_running_loop().time() + 0.01
    late = asyncio.ensure_future(batcher.submit(2, deadline=soon))
    await asyncio.sleep(0.02)
    work.hold.set()
    await first
    with pytest.raises(DeadlinePassedError):
        await late
    assert work.batches == [[1]]
    await batcher.close()


async def test_waiting_gathers_company(executor: ThreadPoolExecutor) -> None:
    work = Doubler()
    batcher = MicroBatcher(work, executor, most=8, at_once=1, wait_s=0.05)
    first = asyncio.ensure_future(batcher.submit(1, deadline=later()))
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(batcher.submit(2, deadline=later()))
    await asyncio.gather(first, second)
    assert work.batches == [[1, 2]]
    await batcher.close()


async def test_closing_finishes_what_runs_and_fails_what_waits(
    executor: ThreadPoolExecutor,
) -> None:
    work = Doubler()
    work.hold.clear()
    batcher = MicroBatcher(work, executor, most=1, at_once=1)
    running = asyncio.ensure_future(batcher.submit(1, deadline=later()))
    await asyncio.to_thread(work.begun.wait, 10)
    waiting = asyncio.ensure_future(batcher.submit(2, deadline=later()))
    closing = asyncio.ensure_future(batcher.close())
    await asyncio.sleep(0.01)
    work.hold.set()
    await closing
    assert (await running).answer == 2
    with pytest.raises(ShuttingDownError):
        await waiting
    with pytest.raises(ShuttingDownError):
        batcher.submit(3, deadline=later())


async def test_work_runs_off_the_event_loop(executor: ThreadPoolExecutor) -> None:
    work = Doubler()
    batcher = MicroBatcher(work, executor, most=8, at_once=2)
    await batcher.submit(1, deadline=later())
    assert threading.current_thread().name not in work.threads
    await batcher.close()
