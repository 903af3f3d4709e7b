import threading
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from server.telemetry.traces import CallTraces, asking, headers_to_send_on
from tests.server.telemetry.support import TIMES, Clock, a_call, go_through

NAME = "nearfield.v1.RecommendationService/Recommend"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("tracestate", "a=1"))
NOT_SAMPLED = (("traceparent", f"00-{TRACE}-{PARENT}-00"),)


class Bench:
    """Traces of calls, kept in memory."""

    def __init__(self, *, drawn: float = 0.5) -> None:
        self._exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.clock = Clock(1000.02)
        self.watcher = CallTraces(
            provider.get_tracer("test"),
            0.1,
            monotonic=self.clock,
            wall_ns=lambda: 10**18,
            draw=lambda: drawn,
        )

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """What was exported, by name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}

    @property
    def names(self) -> list[str]:
        """Names of what was exported, in order."""
        return [span.name for span in self._exporter.get_finished_spans()]


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    token = attach(Context())
    yield
    detach(token)


def test_callers_trace_goes_on_here() -> None:
    bench, call = Bench(drawn=1.0), a_call(times=TIMES)
    go_through(bench.watcher, call, metadata=SAMPLED)
    assert call.trace_id == TRACE
    assert bench.names == ["validation", "queue", "model", NAME]
    span = bench.spans[NAME]
    assert span.parent is not None
    assert span.context is not None
    assert (f"{span.parent.span_id:016x}", span.parent.trace_state.to_header()) == (PARENT, "a=1")
    assert span.kind is SpanKind.SERVER
    attributes = dict(span.attributes or {})
    assert attributes["rpc.system.name"] == "grpc"
    assert attributes["rpc.method"] == NAME
    assert attributes["rpc.response.status_code"] == "OK"
    assert attributes["nearfield.request_id"] == "asked-for"
    assert span.status.status_code is StatusCode.UNSET


def test_stages_lie_one_after_the_other_from_the_calls_beginning() -> None:
    bench = Bench(drawn=0.0)
    go_through(bench.watcher, a_call(times=TIMES))
    began = 10**18 - 20_000_000
    stages = [bench.spans[stage] for stage in ("validation", "queue", "model")]
    starts = [began, began + 1_000_000, began + 3_000_000]
    ends = [began + 1_000_000, began + 3_000_000, began + 7_000_000]
    assert [each.start_time for each in stages] == pytest.approx(starts, rel=1e-15, abs=1000)
    assert [each.end_time for each in stages] == pytest.approx(ends, rel=1e-15, abs=1000)
    parent = bench.spans[NAME].context
    assert parent is not None
    for stage in stages:
        above = stage.parent
        assert above is not None
        assert above.span_id == parent.span_id


@pytest.mark.parametrize(
    ("metadata", "drawn", "traced"),
    [
        ((), 0.05, True),
        ((), 0.2, False),
        (SAMPLED, 1.0, True),
        (NOT_SAMPLED, 0.0, False),
        ((("traceparent", "nonsense"),), 0.05, True),
        ((("traceparent", "nonsense"),), 0.2, False),
        ((("traceparent", f"00-{'0' * 32}-{PARENT}-01"),), 0.2, True),
    ],
)
def test_parent_decides_else_the_ratio(
    metadata: tuple[tuple[str, str], ...], drawn: float, traced: bool
) -> None:
    bench, call = Bench(drawn=drawn), a_call()
    go_through(bench.watcher, call, metadata=metadata)
    assert bool(bench.spans) is traced
    assert bool(call.trace_id) is traced


def test_only_what_is_the_servers_fault_is_an_error() -> None:
    for code, status in (
        (grpc.StatusCode.INTERNAL, StatusCode.ERROR),
        (grpc.StatusCode.NOT_FOUND, StatusCode.UNSET),
    ):
        bench = Bench(drawn=0.0)
        go_through(bench.watcher, a_call(reason="WHY"), code)
        assert bench.spans[NAME].status.status_code is status
        assert dict(bench.spans[NAME].attributes or {})["error.type"] == "WHY"


def begun(bench: Bench) -> Context:
    """Begin a call and return its context."""
    token = attach(Context())
    try:
        bench.watcher.began(a_call(), ())
        return get_current()
    finally:
        detach(token)


def test_question_of_several_calls_is_below_the_first_that_is_traced_and_linked_to_others() -> None:
    bench, quiet = Bench(drawn=0.0), Bench(drawn=1.0)
    contexts = [begun(quiet), begun(bench), begun(bench)]
    sent: dict[str, str] = {}

    def ask() -> None:
        with asking(contexts, "vllm:m", SpanKind.CLIENT):
            sent.update(headers_to_send_on())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(10)
    span = bench.spans["embeddings vllm:m"]
    assert span.parent is not None
    assert span.context is not None
    assert span.kind is SpanKind.CLIENT
    assert dict(span.attributes or {})["nearfield.texts"] == 3
    assert len(span.links) == 1
    trace_id = f"{span.context.trace_id:032x}"
    beginning, flags = sent["traceparent"][:-2], sent["traceparent"][-2:]
    assert beginning == f"00-{trace_id}-{span.context.span_id:016x}-"
    assert int(flags, 16) & 1  # sampled


def test_failed_question_says_by_what_class_and_nothing_of_the_message() -> None:
    bench = Bench(drawn=0.0)
    contexts = [begun(bench)]
    with pytest.raises(ValueError, match="sesame"), asking(contexts, "m", SpanKind.INTERNAL):
        raise ValueError("sesame")
    span = bench.spans["embeddings m"]
    assert span.status.status_code is StatusCode.ERROR
    assert "sesame" not in span.to_json()
    assert dict(span.attributes or {})["error.type"] == "ValueError"


def test_what_is_not_traced_here_is_not_to_be_traced_there() -> None:
    bench = Bench(drawn=1.0)
    with asking([begun(bench)], "vllm:m", SpanKind.CLIENT):
        first, second = headers_to_send_on(), headers_to_send_on()
    assert first["traceparent"].endswith("-00")
    assert first != second
    assert not bench.spans
