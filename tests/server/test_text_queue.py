import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from features.errors import FeaturizerUnavailable
from server.engine import Engine
from server.errors import DeadlinePassedError, FaultError, FeaturizerMismatchError
from server.text_queue import TextQueue, patience
from tests.server.support import FlakyFeaturizer, make_settings, make_texts


@asynccontextmanager
async def queue_over(
    engine: Engine, main: FlakyFeaturizer, fallback: FlakyFeaturizer | None = None
) -> AsyncIterator[TextQueue]:
    queue = TextQueue(make_texts(engine, main, fallback), make_settings(featurizer_workers=1))
    try:
        yield queue
    finally:
        for each in (main, fallback):
            if each is not None:
                each.close()
        await queue.close()


def held(name: str = "flaky") -> FlakyFeaturizer:
    featurizer = FlakyFeaturizer(name=name)
    featurizer.hold.clear()
    return featurizer


def in_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@pytest.mark.parametrize(
    ("remaining_s", "expected_s"), [(30.0, 29.0), (10.0, 9.0), (4.0, 3.0), (0.4, 0.3), (0.0, 0.0)]
)
def test_some_of_the_remaining_time_is_kept(remaining_s: float, expected_s: float) -> None:
    assert patience(remaining_s) == pytest.approx(expected_s)


async def test_main_featurizer_that_hangs_is_away_before_the_deadline(engine: Engine) -> None:
    async with queue_over(engine, held()) as queue:
        deadline = in_s(1.2)
        with pytest.raises(FeaturizerUnavailable, match=r"did not answer within the 0.9 s"):
            await queue.embed("text", deadline)
        assert 0 < deadline - asyncio.get_running_loop().time() < 0.31


async def test_waiting_in_the_queue_counts_and_the_other_one_is_not_held_up(
    engine: Engine,
) -> None:
    main, spare = held(), FlakyFeaturizer(name="spare")
    async with queue_over(engine, main, spare) as queue:
        patient = asyncio.ensure_future(queue.embed("one", in_s(20)))
        await asyncio.to_thread(main.asked.wait, 10)
        found = await queue.embed("two", in_s(0.4))
        assert (found.answer.featurizer, found.answer.stepped_in) == ("spare", True)
        assert found.times.featurizer == pytest.approx(0.3, abs=0.1)
        assert not patient.done()
        main.hold.set()
        answer = (await patient).answer
        assert (answer.featurizer, answer.stepped_in) == ("flaky", False)
    assert main.calls == [["one"]]
    assert spare.calls == [["two"]]


async def test_caller_in_a_hurry_does_not_make_the_featurizer_away_for_others(
    engine: Engine,
) -> None:
    main, spare = held(), FlakyFeaturizer(name="spare")
    async with queue_over(engine, main, spare) as queue:
        assert (await queue.embed("one", in_s(0.2))).answer.stepped_in
        main.hold.set()
        assert not (await queue.embed("two", in_s(10))).answer.stepped_in


async def test_deadline_also_ends_waiting_for_the_other_one(engine: Engine) -> None:
    main, spare = held(), held("spare")
    async with queue_over(engine, main, spare) as queue:
        patient = asyncio.ensure_future(queue.embed("one", in_s(0.4)))
        await asyncio.to_thread(spare.asked.wait, 10)
        late = asyncio.ensure_future(queue.embed("two", in_s(0.2)))
        await asyncio.sleep(0.3)
        spare.hold.set()
        with pytest.raises(DeadlinePassedError):
            await late
        assert (await patient).answer.featurizer == "spare"


async def test_panic_of_a_featurizer_fails_one_call_and_takes_no_thread_from_the_next(
    engine: Engine,
) -> None:
    class Panic(BaseException):
        """As pyo3's PanicException: no Exception."""

    main = FlakyFeaturizer()
    async with queue_over(engine, main) as queue, asyncio.timeout(10):
        for failure in (Panic(), None) * 2:
            main.failure = failure
            if failure is None:
                assert (await queue.embed("text", in_s(10))).answer.featurizer == "flaky"
            else:
                with pytest.raises(FaultError):
                    await queue.embed("text", in_s(10))


async def test_nothing_steps_in_for_a_mismatch(engine: Engine) -> None:
    wrong, spare = FlakyFeaturizer(revision="another"), FlakyFeaturizer(name="spare")
    async with queue_over(engine, wrong, spare) as queue:
        with pytest.raises(FeaturizerMismatchError):
            await queue.embed("text", in_s(10))
    assert not spare.calls
