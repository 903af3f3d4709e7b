"""From a client's own span to the header that vLLM sees, over real sockets; and what is logged."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from opentelemetry import propagate
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import use_span

from nearfield import AsyncClient, Connection, InternalError, NewItem, Retry
from server.app import App
from server.engine import Engine
from server.featurizers import open_texts
from server.telemetry.process import Telemetry
from tests.server.support import make_settings
from tests.server.test_vllm_hangs import featurizer_of
from tests.support.collector import Collector
from tests.support.embeddings_stub import MODEL, EmbeddingsStub, Fault

NEW = NewItem("podcast", title="Out today", description="nobody else may read of it")
EMBED = "nearfield.v1.EmbeddingService/EmbedItem"
RECOMMEND = "nearfield.v1.RecommendationService/Recommend"


@pytest.fixture
def stub() -> Iterator[EmbeddingsStub]:
    with EmbeddingsStub().running() as running:
        yield running


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().running() as running:
        yield running


@asynccontextmanager
async def serving(
    engine: Engine, stub: EmbeddingsStub, collector: Collector, *, ratio: float
) -> AsyncIterator[tuple[str, Telemetry]]:
    """Serve with traces until the block ends; all that was traced is sent by then."""
    settings = make_settings(
        vllm_url=stub.url,
        telemetry={
            "otlp_endpoint": collector.endpoint,
            "trace_ratio": ratio,
            "log_format": "json",
        },
    )
    with Telemetry(settings.telemetry) as telemetry:
        texts = open_texts(settings, featurizer_of(engine, stub), metrics=telemetry.metrics)
        watchers = telemetry.watchers(asyncio.get_running_loop().time)
        app = App(engine, texts, settings, watchers=watchers, metrics=telemetry.metrics)
        await app.start()
        try:
            async with telemetry.looking(app.certificate):
                yield f"127.0.0.1:{app.port}", telemetry
        finally:
            await app.stop()


async def test_one_trace_from_the_client_through_the_server_to_vllm(
    engine: Engine, stub: EmbeddingsStub, collector: Collector
) -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    own = provider.get_tracer("a client of ours").start_span("a page of theirs")
    carrier: dict[str, str] = {}
    with use_span(own, end_on_exit=True):
        propagate.inject(carrier)
    connection = Connection(metadata=list(carrier.items()))
    async with serving(engine, stub, collector, ratio=0.0) as (target, _):
        async with AsyncClient(target, connection=connection) as client:
            await client.embed_item(NEW)
        async with AsyncClient(target) as client:  # brings no trace, so the ratio decides
            await client.embed_item(NEW)
    trace_id = f"{own.get_span_context().trace_id:032x}"

    (served,) = [span for span in collector.spans if span.name == EMBED]
    assert served.trace_id == trace_id
    assert served.parent_id == f"{own.get_span_context().span_id:016x}"
    assert (served.kind, served.service, served.failed) == (2, "nearfield", False)
    assert served.attributes["rpc.response.status_code"] == "OK"
    below = collector.below(served)
    asked = below.pop(f"embeddings vllm:{MODEL}")
    assert {"validation", "featurizer", "model"} <= below.keys()
    assert served.start_ns <= asked.start_ns < asked.end_ns <= served.end_ns
    assert {span.trace_id for span in collector.spans} == {trace_id}

    first, second = [headers["traceparent"] for headers in stub.headers]
    assert re.fullmatch(f"00-{trace_id}-{asked.span_id}-0[13]", first)  # sampled
    assert second.endswith("-00")
    assert trace_id not in second


async def test_calls_asked_together_go_in_one_question_that_is_linked_to_all(
    engine: Engine, stub: EmbeddingsStub, collector: Collector
) -> None:
    items = [NewItem("podcast", title=f"Number {number}") for number in range(3)]
    async with (
        serving(engine, stub, collector, ratio=1.0) as (target, _),
        AsyncClient(target) as client,
    ):
        await client.embed_items(items)
    (asked,) = [span for span in collector.spans if span.name.startswith("embeddings")]
    assert asked.attributes["nearfield.texts"] == 3
    assert len(stub.requests) == 1


async def test_failure_is_found_by_its_request_in_log_trace_and_metrics_without_its_text(
    engine: Engine, stub: EmbeddingsStub, collector: Collector, capfd: pytest.CaptureFixture[str]
) -> None:
    echo = b'{"error": {"message": "no: Out today. nobody else may read of it"}}'
    async with serving(engine, stub, collector, ratio=1.0) as (target, telemetry):
        async with AsyncClient(target, retry=Retry(attempts=1)) as client:
            stub.fail(Fault(status=400, body=echo))
            with pytest.raises(InternalError) as caught:
                await client.embed_item(NEW)
            await client.recommend("user-1", k=3)
        labels = {"grpc_method": EMBED, "reason": "FEATURIZER_FAILED"}
        registry = telemetry.metrics.registry
        assert registry.get_sample_value("nearfield_refusals_total", labels) == 1
    written = capfd.readouterr().err
    lines = [json.loads(line) for line in written.splitlines()]
    ended, failed, recommended = [line for line in lines if "request_id" in line]
    assert failed["level"] == "error"
    assert "answered 400" in failed["event"]
    assert "exception" not in failed
    assert (ended["event"], ended["code"], ended["reason"]) == (
        "call",
        "INTERNAL",
        "FEATURIZER_FAILED",
    )
    assert failed["request_id"] == ended["request_id"] == caught.value.request_id
    assert recommended["method"] == f"/{RECOMMEND}"
    (span,) = [span for span in collector.spans if span.name == EMBED]
    assert span.failed
    assert span.trace_id == ended["trace_id"]
    assert span.attributes["nearfield.request_id"] == ended["request_id"]
    assert "nobody else" not in written
    assert not [each for each in collector.spans if "nobody else" in str(each)]


async def test_collector_that_is_away_holds_up_neither_calls_nor_the_end(
    engine: Engine, stub: EmbeddingsStub
) -> None:
    away = Collector()
    with away.running():
        pass
    async with (
        serving(engine, stub, away, ratio=1.0) as (target, _),
        AsyncClient(target) as client,
    ):
        assert len((await client.recommend("user-1", k=3)).hits) == 3
