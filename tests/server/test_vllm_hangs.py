"""A vLLM that takes requests and never answers, over real sockets, seen through the real client."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from export.generation import FeaturizerInfo
from features.vllm import VllmFeaturizer, VllmSettings
from nearfield import AsyncClient, NewItem, Provenance, Reason, Timeouts, UnavailableError
from nearfield import WarningCode as Code
from server.app import App
from server.engine import Engine
from server.featurizers import open_texts
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
