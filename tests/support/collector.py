"""A collector of traces on this machine: OTLP over gRPC, as the real ones take it."""

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue


@dataclass(frozen=True)
class Received:
    """A span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for a root."""
    kind: int
    """As in OTLP: 1 internal, 2 server, 3 client."""
    failed: bool
    start_ns: int
    end_ns: int
    attributes: Mapping[str, str | int] = field(default_factory=dict)
    links: tuple[str, ...] = ()
    """Spans that it is linked to."""
    service: str = ""


class Collector(TraceServiceServicer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.spans: list[Received] = []
        self.headers: list[dict[str, str | bytes]] = []
        self.endpoint = ""
        self._changed = threading.Condition()

    @contextmanager
    def running(self) -> Iterator["Collector"]:
        """Listen while the block runs."""
        server = grpc.server(ThreadPoolExecutor(2))
        add: Any = add_TraceServiceServicer_to_server  # has no types
        add(self, server)
        self.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield self
        finally:
            server.stop(0).wait()

    def Export(  # noqa: N802 - the contract's name
        self, request: ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> ExportTraceServiceResponse:
        """Take spans."""
        with self._changed:
            self.headers.append(dict(context.invocation_metadata()))
            self.spans.extend(_spans(request))
            self._changed.notify_all()
        return ExportTraceServiceResponse()

    def wait_for(self, name: str, timeout_s: float = 20.0) -> Received:
        """Wait for a span of a name."""
        ends = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for span in self.spans:
                    if span.name == name:
                        return span
                if not self._changed.wait(ends - time.monotonic()):
                    raise AssertionError(f"no span {name}, but {[s.name for s in self.spans]}")

    def below(self, parent: Received) -> dict[str, Received]:
        """Return the spans right below one, by name."""
        return {span.name: span for span in self.spans if span.parent_id == parent.span_id}


def _spans(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for resource in request.resource_spans:
        told = _read(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Received(
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    kind=span.kind,
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    attributes=_read(span.attributes),
                    links=tuple(link.span_id.hex() for link in span.links),
                    service=str(told.get("service.name", "")),
                )


def _read(pairs: Iterable[KeyValue]) -> dict[str, str | int]:
    return {
        pair.key: pair.value.int_value
        if pair.value.HasField("int_value")
        else pair.value.string_value
        for pair in pairs
    }
