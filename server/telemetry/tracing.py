"""Where spans go: to a collector, by OTLP over gRPC, from a thread that nobody waits for."""

import os
import socket

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from nearfield.version import __version__
from server.telemetry.settings import TelemetrySettings

SEND_S = 5.0
"""Seconds that a collector gets to take some spans; the longest that the end of a process waits."""
MOST_AT_ONCE = 512


def open_tracing(settings: TelemetrySettings, *, worker: int | None) -> TracerProvider:
    """Make what spans of this process go through; to be shut down at the end.

    gRPC's threads do not survive a fork, so each worker makes its own. `OTEL_SERVICE_NAME`,
    `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS` are heard, as by every service.
    """
    resource = Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME") or "nearfield",
            "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
            "nearfield.worker": "supervisor" if worker is None else str(worker),
        }
    )
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(
            OTLPSpanExporter(endpoint=settings.otlp_endpoint, timeout=SEND_S),
            max_queue_size=settings.trace_queue_spans,
            max_export_batch_size=min(MOST_AT_ONCE, settings.trace_queue_spans),
        )
    )
    return provider
