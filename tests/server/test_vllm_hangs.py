"""A vLLM that takes requests and never answers, over real sockets, seen through the real client."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from export.generation import FeaturizerInfo
from features.errors import FeaturizerUnavailable
from features.vllm import VllmFeaturizer, VllmSettings
from nearfield import AsyncClient, NewItem, Provenance, Reason, Timeouts, UnavailableError
from nearfield import WarningCode as Code
from server.app import App
from server.engine import Engine
from server.featurizers import close_texts, open_texts
from server.served import Served
from server.stopwatch import Stopwatch
from server.texts import CheckedFeaturizer, Texts
from tests.server.support import FlakyFeaturizer, make_settings
from tests.support.embeddings_stub import MODEL, EmbeddingsStub, Fault

NEW = NewItem("podcast", title="Out today")
HANG = Fault(delay_s=30.0)


@pytest.fixture
def stub() -> Iterator[EmbeddingsStub]:
    with EmbeddingsStub().running() as running:
        yield running


def featurizer_of(engine: Engine, stub: EmbeddingsStub) -> FeaturizerInfo:
    """What the generation's manifest would say, had it been built with the stub."""
    asked = VllmFeaturizer(VllmSettings(stub.url, MODEL))
    try:
        return replace(
            engine.generation.manifest.featurizer, name=asked.name, revision=asked.revision
        )
    finally:
        asked.close()


@asynccontextmanager
async def serving(engine: Engine, texts: Texts, timeouts: Timeouts) -> AsyncIterator[AsyncClient]:
    app = App(engine, texts, make_settings())
    await app.start()
    try:
        async with AsyncClient(f"127.0.0.1:{app.port}", timeouts=timeouts) as client:
            yield client
    finally:
        await app.stop()


async def test_caller_with_the_usual_timeout_is_told_to_come_back(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    settings = make_settings(vllm_url=stub.url, breaker={"failures": 1})
    texts = open_texts(settings, featurizer_of(engine, stub))
    async with serving(engine, texts, Timeouts()) as client:
        assert (await client.embed_item(NEW)).featurizer == f"vllm:{MODEL}"
        stub.fail_always(HANG)
        started = time.monotonic()
        waiting = asyncio.ensure_future(client.embed_item(NEW))
        await asyncio.sleep(0.2)
        assert (await client.embed_item("podcast-01")).provenance is Provenance.GRAPH
        assert len((await client.recommend("user-1", k=3)).hits) == 3
        assert not waiting.done()
        with pytest.raises(UnavailableError) as caught:
            await waiting
        assert time.monotonic() - started < Timeouts().call_s - 1
        with pytest.raises(UnavailableError):
            await client.similar_items(NEW)  # at once: it is known to be away
        assert time.monotonic() - started < Timeouts().call_s
    assert caught.value.reason == Reason.FEATURIZER_UNAVAILABLE
    assert caught.value.retry_delay_s == 5.0
    assert len(stub.requests) == 2


async def test_caller_in_a_hurry_is_told_before_the_own_timeout(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    texts = open_texts(make_settings(vllm_url=stub.url), featurizer_of(engine, stub))
    async with serving(engine, texts, Timeouts(call_s=1.5)) as client:
        stub.fail_always(HANG)
        with pytest.raises(UnavailableError) as caught:
            await client.embed_item(NEW)
    assert caught.value.reason == Reason.FEATURIZER_UNAVAILABLE


async def test_the_other_featurizer_answers_before_the_caller_gives_up(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    settings = make_settings(vllm_url=stub.url)
    main = VllmFeaturizer(VllmSettings(stub.url, MODEL, timeout_s=settings.vllm_timeout_s))
    info = featurizer_of(engine, stub)
    spare = FlakyFeaturizer(name="spare", revision=info.revision)
    texts = Texts(CheckedFeaturizer(lambda: main, info), CheckedFeaturizer(lambda: spare, info))
    stub.fail_always(HANG)
    async with serving(engine, texts, Timeouts()) as client:
        new, known = (await client.embed_items([NEW, "podcast-01"], timeout_s=4)).results()
        first = await client.embed_item(NEW)
        again = await client.embed_item(NEW)
    assert [each.featurizer for each in (new, first, again)] == ["spare"] * 3
    assert known.provenance is Provenance.GRAPH
    assert [each.code for each in again.warnings] == [Code.FALLBACK_FEATURIZER]


async def longest_turn_s(until: asyncio.Task[None]) -> float:
    """Tell for how long the event loop came to nothing else."""
    loop, longest_s = asyncio.get_running_loop(), 0.0
    while not until.done():
        began = loop.time()
        await asyncio.sleep(0.01)
        longest_s = max(longest_s, loop.time() - began)
    return longest_s


async def test_parting_from_a_generation_breaks_off_what_hangs_and_holds_nobody_up(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    settings = make_settings(vllm_url=stub.url, vllm_timeout_s=60)
    texts = open_texts(settings, featurizer_of(engine, stub))
    served = Served(engine, texts, settings)
    stub.fail_always(Fault(delay_s=60.0))
    many = [f"Out on day {day}" for day in range(40)]  # in several requests
    asked = asyncio.ensure_future(asyncio.to_thread(texts.embed, many, Stopwatch()))
    async with asyncio.timeout(30):
        while not stub.requests:  # noqa: ASYNC110 - another thread sets no event
            await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(served.close())
        assert await longest_turn_s(closing) < 5.0
        with pytest.raises(FeaturizerUnavailable):
            await asked


async def test_featurizer_that_cannot_be_closed_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    let = threading.Event()

    class Stuck(Texts):
        def close(self) -> None:
            let.wait(30)

    await close_texts(Stuck(None, None), within_s=0.05)
    assert "left behind" in caplog.text
    let.set()
