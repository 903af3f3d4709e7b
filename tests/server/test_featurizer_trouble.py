"""vLLM slow, refusing, talking nonsense, restarted: what new items get, and what known ones do."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from nearfield import (
    AsyncClient,
    FailedPreconditionError,
    InternalError,
    NearfieldError,
    NewItem,
    Provenance,
    Retry,
    Timeouts,
    UnavailableError,
)
from server.app import App
from server.engine import Engine
from server.featurizers import open_texts
from server.telemetry.metrics import Metrics
from tests.server.support import make_settings
from tests.server.test_vllm_hangs import featurizer_of
from tests.support.embeddings_stub import (
    DIMENSIONS,
    MODEL,
    EmbeddingsStub,
    Fault,
    embedding,
    encode,
)

NEW = NewItem("podcast", title="Out today")
ONCE = Retry(attempts=1)
NAME = f"vllm:{MODEL}"
SOON = {"failures": 2, "first_rest_s": 0.2, "longest_rest_s": 0.4}
NOTHING = np.full(DIMENSIONS, np.nan, np.float32)

BAD_ANSWERS = {
    "garbage": Fault(body=b"<html>502 from a proxy"),
    "other JSON": Fault(body=b'{"object": "list"}'),
    "wrong dimension": Fault(distort=embedding(encode(np.ones(3, np.float32)))),
    "NaN": Fault(distort=embedding(encode(NOTHING))),
}


@pytest.fixture
def stub() -> Iterator[EmbeddingsStub]:
    with EmbeddingsStub().running() as running:
        yield running


@dataclass(frozen=True)
class Bench:
    """A running server whose vLLM is a stub."""

    client: AsyncClient
    registry: CollectorRegistry

    def value(self, name: str, **labels: str) -> float:
        """Read a metric."""
        return self.registry.get_sample_value(name, {"featurizer": NAME, **labels}) or 0.0

    @property
    def state(self) -> float:
        """State of the circuit breaker."""
        return self.value("nearfield_featurizer_breaker_state")

    async def fails(self, times: int = 1) -> NearfieldError:
        """Ask for new items in vain, while known ones are answered; give the last error."""
        for _ in range(times):
            with pytest.raises(NearfieldError) as caught:
                await self.client.embed_item(NEW)
            assert (await self.client.embed_item("podcast-01")).provenance is Provenance.GRAPH
        return caught.value

    async def comes_back(self) -> None:
        """Wait until new items are embedded again."""
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.client.embed_item(NEW)
                except NearfieldError:
                    await asyncio.sleep(0.05)
                else:
                    return


@asynccontextmanager
async def serving(engine: Engine, stub: EmbeddingsStub, **changes: object) -> AsyncIterator[Bench]:
    metrics = Metrics()
    settings = make_settings(vllm_url=stub.url, breaker=SOON, **changes)
    texts = open_texts(settings, featurizer_of(engine, stub), metrics=metrics)
    app = App(engine, texts, settings, metrics=metrics)
    await app.start()
    try:
        target = f"127.0.0.1:{app.port}"
        async with AsyncClient(target, timeouts=Timeouts(call_s=20), retry=ONCE) as client:
            bench = Bench(client, metrics.registry)
            await client.embed_item(NEW)
            yield bench
    finally:
        await app.stop()


@pytest.mark.parametrize("fault", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
async def test_nonsense_opens_the_breaker_and_stays_nonsense_to_the_caller(
    engine: Engine, stub: EmbeddingsStub, fault: Fault
) -> None:
    async with serving(engine, stub) as bench:
        stub.fail_always(fault)
        assert isinstance(await bench.fails(), InternalError)
        assert bench.state == 0
        await bench.fails()
        assert bench.state == 2
        asked = len(stub.requests)
        assert isinstance(await bench.fails(), InternalError)
        assert len(stub.requests) == asked
        assert bench.value("nearfield_featurizer_spared_total") == 1
        bad = bench.value("nearfield_featurizer_duration_seconds_count", outcome="bad_answer")
        assert bad == 2
        stub.faults.clear()
        await bench.comes_back()
        assert bench.state == 0


async def test_slow_answers_count_as_failures(engine: Engine, stub: EmbeddingsStub) -> None:
    async with serving(engine, stub, vllm_timeout_s=0.2) as bench:
        stub.fail_always(Fault(delay_s=0.6))
        await bench.fails()
        assert bench.state == 0
        assert isinstance(await bench.fails(), UnavailableError)
        assert bench.state == 2
        asked = len(stub.requests)
        await bench.fails()
        assert len(stub.requests) == asked
        stub.faults.clear()
        await bench.comes_back()


async def test_refused_text_concerns_its_caller_alone(engine: Engine, stub: EmbeddingsStub) -> None:
    async with serving(engine, stub) as bench:
        stub.fail(*[Fault(status=400)] * 5)
        await bench.fails(5)
        assert bench.state == 0
        assert (await bench.client.embed_item(NEW)).featurizer == NAME


async def test_server_that_dies_in_the_middle_and_comes_back_on_its_port(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "server.texts")
    first = EmbeddingsStub()
    with first.running():
        port = first.port
        settings = make_settings(vllm_url=first.url, breaker=SOON)
        metrics = Metrics()
        texts = open_texts(settings, featurizer_of(engine, first), metrics=metrics)
        app = App(engine, texts, settings, metrics=metrics)
        await app.start()
        client = AsyncClient(f"127.0.0.1:{app.port}", retry=ONCE)
        bench = Bench(client, metrics.registry)
        await client.embed_item(NEW)
        first.fail(Fault(delay_s=0.3, drop=True))
        under_way = asyncio.ensure_future(client.embed_item(NEW))
        await asyncio.sleep(0.1)
    with pytest.raises(UnavailableError):
        await under_way
    assert bench.state == 2
    await bench.fails()
    with EmbeddingsStub(port).running() as second:
        await bench.comes_back()
        assert second.texts
    assert bench.state == 0
    await client.close()
    await app.stop()
    said = [record.message for record in caplog.records if "circuit breaker" in record.message]
    assert "open, left alone for 0.2 s, after: http" in said[0]
    assert "half-open" in said[1]
    assert "closed" in said[-1]


async def test_other_model_that_comes_back_is_never_believed(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    async with serving(engine, stub) as bench:
        stub.fail(Fault(status=503), Fault(status=503))  # a question and its one retry
        assert isinstance(await bench.fails(), UnavailableError)
        stub.model_card["max_model_len"] = 128
        asked = len(stub.requests)
        assert isinstance(await bench.fails(3), FailedPreconditionError)
        assert len(stub.requests) == asked
        assert bench.state == 0
