"""Traces: a span for each sampled call, its stages below it, and what is sent on to vLLM.

Whether a call is traced is decided before the SDK hears of it, in the SDK's own way (by the parent,
else by a ratio): most calls are not, and asking it costs ten times as much as that.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from random import random

import grpc
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_value, set_value
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from server.calls import Call
from server.methods import Method
from server.security.authenticator import Metadata
from server.telemetry.access import STAGES

PARENT, STATE = "traceparent", "tracestate"
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-([0-9a-f]{2})(?:-.*)?")
"""Source: W3C Trace Context, section 3.2.2."""
ERRORS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
"""Codes that are an error of the server. Source: OpenTelemetry's conventions for gRPC."""
_PROPAGATOR = TraceContextTextMapPropagator()
_IDS = RandomIdGenerator()
_TRACER = "nearfield.tracer"
"""Where a call's context keeps what makes its spans."""


class CallTraces:
    """Traces calls; a Watcher. The span of a call is the current one while it is answered."""

    def __init__(
        self,
        tracer: Tracer,
        ratio: float,
        *,
        monotonic: Callable[[], float],
        wall_ns: Callable[[], int] = time.time_ns,
        draw: Callable[[], float] = random,
    ) -> None:
        self._tracer = tracer
        self._ratio = ratio
        self._monotonic = monotonic
        self._wall_ns = wall_ns
        self._draw = draw

    def began(self, call: Call, metadata: Metadata) -> None:
        """Begin a span, where the call is sampled."""
        carrier = _carried(metadata)
        if not self._is_sampled(carrier.get(PARENT, "")):
            return
        context = _PROPAGATOR.extract(carrier, Context())
        name = call.method.path.removeprefix("/")
        span = self._tracer.start_span(
            name, context, SpanKind.SERVER, {"rpc.system.name": "grpc", "rpc.method": name}
        )
        call.trace_id = f"{span.get_span_context().trace_id:032x}"
        attach(set_value(_TRACER, self._tracer, trace.set_span_in_context(span, Context())))

    def turned_away(self, method: Method) -> None:
        """Leave no span."""

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """End the span, with one below it for each stage."""
        if not call.trace_id:
            return
        span = trace.get_current_span()
        span.set_attributes(_told(call, code))
        if code in ERRORS:
            span.set_status(Status(StatusCode.ERROR))
        ends = self._wall_ns()
        self._stages(call, span, ends - int((self._monotonic() - call.started) * 1e9))
        span.end(ends)

    def _is_sampled(self, parent: str) -> bool:
        if parent and (decided := TRACEPARENT.fullmatch(parent)):
            return bool(int(decided[1], 16) & 1)
        return self._draw() < self._ratio

    def _stages(self, call: Call, span: Span, began_ns: int) -> None:
        """Lay the stages one after the other: how long each took is known, not when."""
        context = trace.set_span_in_context(span, Context())
        for stage in STAGES:
            took_ns = int(getattr(call.times, stage) * 1e9)
            if took_ns:
                below = self._tracer.start_span(stage, context, start_time=began_ns)
                began_ns += took_ns
                below.end(began_ns)


@contextmanager
def asking(contexts: Sequence[Context], featurizer: str, kind: SpanKind) -> Iterator[None]:
    """Put a span around a question to a featurizer that several calls ask together.

    It is below the span of the first call that is traced, with links to those of the others.
    """
    spans = [trace.get_current_span(each) for each in contexts]
    traced = [place for place, span in enumerate(spans) if span.is_recording()]
    if not traced:
        yield
        return
    parent = contexts[traced[0]]
    tracer = get_value(_TRACER, parent)
    assert isinstance(tracer, Tracer)
    span = tracer.start_span(
        f"embeddings {featurizer}",
        parent,
        kind,
        {"gen_ai.operation.name": "embeddings", "nearfield.texts": len(contexts)},
        [Link(spans[place].get_span_context()) for place in traced[1:]],
    )
    token = attach(trace.set_span_in_context(span, parent))
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        detach(token)
        span.end()


def headers_to_send_on() -> Mapping[str, str]:
    """Return what tells another server which span a question belongs to.

    Of what is not traced here it is told so, or it would begin a trace of its own.
    """
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    if not carrier:
        trace_id, span_id = _IDS.generate_trace_id(), _IDS.generate_span_id()
        carrier[PARENT] = f"00-{trace_id:032x}-{span_id:016x}-00"
    return carrier


def _carried(metadata: Metadata) -> dict[str, str]:
    return {
        key: value for key, value in metadata if key in {PARENT, STATE} and isinstance(value, str)
    }


def _told(call: Call, code: grpc.StatusCode) -> dict[str, str | int]:
    told: dict[str, str | int] = {
        "rpc.response.status_code": code.name,
        "nearfield.request_id": call.request_id,
        "nearfield.caller": call.caller,
        "nearfield.generation": call.generation,
        "nearfield.answers.read": call.read,
        "nearfield.answers.computed": call.computed,
    }
    if call.reason:
        told["error.type"] = call.reason
    return told
