"""What telemetry costs each call."""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
from numpy.typing import NDArray
from opentelemetry.sdk.trace import TracerProvider

from server.calls import Call
from server.methods import METHODS
from server.stopwatch import Times
from server.surround import Watcher
from server.telemetry.access import AccessRecords
from server.telemetry.call_metrics import CallMetrics
from server.telemetry.exposition import shared_folder
from server.telemetry.logs import Logs
from server.telemetry.metrics import Metrics
from server.telemetry.settings import TelemetrySettings
from server.telemetry.traces import CallTraces

PER_BATCH = 50
"""Calls between two looks at the clock, which itself costs as much as some of them."""
RECOMMEND = METHODS["/nearfield.v1.RecommendationService/Recommend"]
COMPUTED = Times(validation=1e-4, queue=2e-4, model=8e-4, retrieval=1e-3)
ORDINARY = (
    ("user-agent", "grpc-python/1.85.1 grpc-c/54.0.0 (linux; chttp2)"),
    ("x-request-id", "3f2b8a0c9d7e4f5a8b6c1d2e3f4a5b6c"),
)
"""What comes with every call."""
TRACED = (*ORDINARY, ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call, over many batches of calls."""

    what: str
    taken_us: NDArray[np.float64]

    def __str__(self) -> str:
        """Lay out as a row of a table."""
        middle, late = np.quantile(self.taken_us, [0.5, 0.99])
        return f"| {self.what} | {middle:.1f} | {late:.1f} |"


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    print("| per call | median, µs | 99th percentile, µs |\n|---|---:|---:|")
    with shared_folder() as folder:
        for what, tell in _kinds(folder):
            print(_time(what, tell, options.calls // PER_BATCH))
    return 0


def _time(what: str, tell: Callable[[], object], batches: int) -> Timing:
    taken = np.empty(max(batches, 1))
    for number in range(-1, len(taken)):  # the first is to warm up; the last place takes it first
        began = time.process_time_ns()
        for _ in range(PER_BATCH):
            tell()
        taken[number] = (time.process_time_ns() - began) / PER_BATCH / 1000
    return Timing(what, taken)


def _kinds(folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    counting = CallMetrics(Metrics(folder=folder, worker=1), monotonic=time.monotonic)
    yield "metrics, an answer that was read", _telling(counting)
    yield "metrics, an answer that was computed", _telling(counting, times=COMPUTED)
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("benchmark")
    traces = CallTraces(tracer, 0.0, monotonic=time.monotonic)
    yield "trace, not sampled", _telling(traces)
    yield "trace, sampled", _telling(traces, times=COMPUTED, metadata=TRACED)
    with _logs() as logs:
        every = AccessRecords(logs, TelemetrySettings(), monotonic=time.monotonic)
        failed = TelemetrySettings(access_log="slow_and_failed")
        few = AccessRecords(logs, failed, monotonic=time.monotonic)
        yield "record in the log, of every call", _telling(every, times=COMPUTED)
        yield "record in the log, neither slow nor failed", _telling(few, times=COMPUTED)
        yield "all three, read, every call in the log", _telling(traces, every, counting)
        yield (
            "all three, computed, every call in the log",
            _telling(traces, every, counting, times=COMPUTED),
        )
        yield (
            "all three, computed, few calls in the log",
            _telling(traces, few, counting, times=COMPUTED),
        )


def _telling(
    *watchers: Watcher,
    times: Times | None = None,
    metadata: tuple[tuple[str, str], ...] = ORDINARY,
) -> Callable[[], None]:
    """Return what tells watchers of one call, from its beginning to its end."""

    def tell() -> None:
        call = Call(RECOMMEND, None, time.monotonic(), "3f2b8a0c9d7e4f5a8b6c1d2e3f4a5b6c")
        for watcher in watchers:
            watcher.began(call, metadata)
        call.caller, call.generation, call.deadline = "shop", "f95e13b7558e13e0", call.started + 9
        call.request_bytes, call.response_bytes = 40, 400
        if times is None:
            call.read = 1
        else:
            call.times, call.computed = times, 1
        for watcher in watchers:
            watcher.ended(call, grpc.StatusCode.OK)

    return tell


@contextmanager
def _logs() -> Iterator[Logs]:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        with Logs(TelemetrySettings(log_format="json"), worker=1, descriptor=nowhere) as logs:
            yield logs
    finally:
        os.close(nowhere)
