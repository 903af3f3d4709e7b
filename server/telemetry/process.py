"""All that one process tells of itself, from its settings."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from export.generation import Manifest
from server.security.tls import Certificate
from server.surround import Watcher
from server.telemetry.access import AccessRecords
from server.telemetry.call_metrics import CallMetrics
from server.telemetry.logs import Logs
from server.telemetry.metrics import Metrics
from server.telemetry.settings import TelemetrySettings
from server.telemetry.traces import CallTraces
from server.telemetry.tracing import open_tracing

LOOK_S = 5.0
"""Seconds between two looks at memory, the event loop and the certificate."""


class Telemetry:
    """Logs, metrics and traces of one process, until `close`.

    A supervisor and each of its workers open one of their own, workers after the fork; `folder` is
    then where they count together (`exposition.shared_folder`), and `worker` tells workers apart.
    """

    def __init__(
        self, settings: TelemetrySettings, *, worker: int | None = None, folder: Path | None = None
    ) -> None:
        self._settings = settings
        self.logs = Logs(settings, worker=worker)
        self.metrics = Metrics(folder=folder, worker=worker, by_caller=settings.metrics_by_caller)
        self._tracing = open_tracing(settings, worker=worker) if settings.otlp_endpoint else None
        self._lines_dropped = 0

    def __enter__(self) -> Self:
        """Tell until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Send what is left."""
        self.close()

    def watchers(self, monotonic: Callable[[], float]) -> tuple[Watcher, ...]:
        """Return what has to be told of every call; `monotonic` is the event loop's time."""
        records = AccessRecords(self.logs, self._settings, monotonic=monotonic)
        counting = CallMetrics(self.metrics, monotonic=monotonic)
        if self._tracing is None:
            return records, counting
        tracer = self._tracing.get_tracer("nearfield")
        traces = CallTraces(tracer, self._settings.trace_ratio, monotonic=monotonic)
        return traces, records, counting

    def answers_from(self, manifest: Manifest) -> None:
        """Tell that calls are answered from a generation from now on."""
        self.metrics.generation(
            manifest.generation,
            space_id=manifest.space_id,
            file_format=manifest.format,
            as_of_s=_seconds(manifest.as_of),
            now_s=time.time(),
        )

    def answers_no_more_from(self, manifest: Manifest) -> None:
        """Tell that calls are answered from another generation by now."""
        self.metrics.no_generation(
            manifest.generation, space_id=manifest.space_id, file_format=manifest.format
        )

    @asynccontextmanager
    async def looking(self, certificate: Certificate | None) -> AsyncIterator[None]:
        """Look at the process every few seconds, for as long as the block lasts."""
        looks = asyncio.get_running_loop().create_task(self._look(certificate))
        try:
            yield
        finally:
            looks.cancel()

    def close(self) -> None:
        """Send what is left, then log no more. Closing twice is harmless."""
        if self._tracing is not None:
            self._tracing.shutdown()
        self.metrics.close()
        self.logs.close()

    async def _look(self, certificate: Certificate | None) -> None:
        process, loop = psutil.Process(os.getpid()), asyncio.get_running_loop()
        late_s = 0.0
        while True:
            self.metrics.process(resident_bytes=process.memory_info().rss, loop_delay_s=late_s)
            if certificate is not None:
                self.metrics.certificate(certificate.identity.not_after.timestamp())
            dropped = self.logs.writer.dropped
            self.metrics.lines_dropped(dropped - self._lines_dropped)
            self._lines_dropped = dropped
            due = loop.time() + LOOK_S
            await asyncio.sleep(LOOK_S)
            late_s = max(0.0, loop.time() - due)


def _seconds(moment: str | None) -> float | None:
    """Read a moment of a manifest, in ISO 8601, as seconds since 1970."""
    if moment is None:
        return None
    read = datetime.fromisoformat(moment)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
