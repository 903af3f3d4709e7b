"""Everything that is counted and measured: one class, so that nobody else knows prometheus_client.

Names are those of OpenTelemetry in the spelling of Prometheus: `grpc.server.call.duration`, in
seconds, is `grpc_server_call_duration_seconds`. Values of labels come from short lists of our own;
never a request, a user or an item, and a caller only where the settings say so.

Source: gRFC A66 for grpc.server.call.*; its buckets of durations are thinned out here.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    values,
)

SwapOutcome = Literal["done", "refused"]
FeaturizerOutcome = Literal["answered", "unavailable", "bad_answer", "refused", "other"]
BreakerState = Literal["closed", "half_open", "open"]

GENERATION_INFO = "nearfield_generation_info"
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
DURATIONS_S = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0,
    2.0, 5.0, 10.0, 30.0,
)  # fmt: skip
SIZES_BYTES = tuple(float(4**power) for power in range(3, 12))  # 64 bytes to 4 MiB
JOBS = (1, 2, 4, 8, 16, 32, 64, 128)
_no_created: Any = disable_created_metrics  # has no types
_no_created()  # a series for each series, of no use where rates are taken
_AT_IMPORT = values.ValueClass
SWAP_OUTCOMES: tuple[SwapOutcome, ...] = get_args(SwapOutcome)
STATES: Mapping[BreakerState, int] = {"closed": 0, "half_open": 1, "open": 2}


@dataclass(frozen=True)
class Description:
    """What a metric is."""

    name: str
    """As it is scraped; a histogram has the endings _bucket, _sum and _count besides."""
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    told: str
    """What it counts, in words."""


class Metrics:
    """Counts for one process.

    With a `folder` the process is one of several, which write there what `Exposition` adds up. Any
    thread may count.
    """

    def __init__(
        self, *, folder: Path | None = None, worker: int | None = None, by_caller: bool = False
    ) -> None:
        _choose_values(folder)
        self._shares = folder is not None
        self._worker = "" if worker is None else str(worker)
        self.registry = CollectorRegistry()
        """What this process alone has counted."""
        self._described: list[Description] = []
        self._calls(("caller",) if by_caller else ())
        self._work()
        self._featurizers()
        self._generations()
        self._processes()

    def _calls(self, caller: tuple[str, ...]) -> None:
        method = ("grpc_method",)
        self.started = self._counter(
            "grpc_server_call_started", "Calls that began, answered or not.", method
        )
        self.duration = self._histogram(
            "grpc_server_call_duration_seconds",
            "Seconds from a call's arrival to its answer.",
            (*method, "grpc_status"),
            DURATIONS_S,
        )
        self.sent = self._histogram(
            "grpc_server_call_sent_total_compressed_message_size_bytes",
            "Bytes of each answer. Nothing is compressed here.",
            (*method, "grpc_status"),
            SIZES_BYTES,
        )
        self.received = self._histogram(
            "grpc_server_call_rcvd_total_compressed_message_size_bytes",
            "Bytes of each request.",
            (*method, "grpc_status"),
            SIZES_BYTES,
        )
        self.under_way = self._gauge(
            "nearfield_calls_under_way", "Calls that began and have not ended.", method
        )
        self.stages = self._histogram(
            "nearfield_stage_duration_seconds",
            "Seconds that calls spent in each stage: validation, queue, featurizer, model, "
            "retrieval. Answers that were kept ready go through none.",
            (*method, "stage"),
            DURATIONS_S,
        )
        self.refusals = self._counter(
            "nearfield_refusals",
            "Calls that failed, by the reason in their ErrorInfo.",
            (*method, "reason"),
        )
        self.element_failures = self._counter(
            "nearfield_element_failures",
            "Elements of batches that failed in a call that did not, by their reason.",
            (*method, "reason"),
        )
        self.answers = self._counter(
            "nearfield_answers",
            "Answers, elements of batches each by itself: read, where they were kept ready, or "
            "computed.",
            (*method, "how"),
        )
        self.caller_calls = None
        if caller:
            self.caller_calls = self._counter(
                "nearfield_caller_calls", "Calls of each caller.", (*caller, "grpc_status")
            )

    def _work(self) -> None:
        self._batches = self._histogram(
            "nearfield_micro_batch_jobs", "Jobs that were computed together.", ("queue",), JOBS
        )
        self._left = self._gauge(
            "nearfield_queue_left", "Jobs that waited on when a micro-batch was taken.", ("queue",)
        )

        self._queues: dict[str, tuple[Histogram, Gauge]] = {}

    def _featurizers(self) -> None:
        who = ("featurizer",)
        self._asked = self._histogram(
            "nearfield_featurizer_duration_seconds",
            "Seconds of each question to a featurizer, by how it ended: answered, unavailable, "
            "bad_answer, refused, other.",
            (*who, "outcome"),
            DURATIONS_S,
        )
        self._spared = self._counter(
            "nearfield_featurizer_spared",
            "Questions that were not asked, because the circuit breaker was open.",
            who,
        )
        self._breaker = self._gauge(
            "nearfield_featurizer_breaker_state",
            "State of the circuit breaker: 0 closed, 1 half-open, 2 open; of several workers the "
            "worst.",
            who,
            mode="livemax",
        )
        self._breaker_changes = self._counter(
            "nearfield_featurizer_breaker_changes",
            "Changes of the circuit breaker's state, by the new one.",
            (*who, "state"),
        )
        self._stepped_in = self._counter(
            "nearfield_featurizer_stepped_in",
            "Texts that the fallback featurizer embedded, because the main one was away.",
        )

    def _generations(self) -> None:
        self._generation = self._gauge(
            GENERATION_INFO,
            "Workers that answer from a generation.",
            ("generation", "space_id", "format"),
        )
        self._as_of = self._gauge(
            "nearfield_generation_as_of_timestamp_seconds",
            "Moment up to which a worker's generation knows what happened, in seconds since 1970; "
            "0 where it does not say.",
            ("worker",),
        )
        self._loaded = self._gauge(
            "nearfield_generation_loaded_timestamp_seconds",
            "Moment since which a worker answers from its generation, in seconds since 1970.",
            ("worker",),
        )
        self._swaps = self._counter(
            "nearfield_generation_swaps",
            "Generations that were offered to the running server: done or refused.",
            ("outcome",),
        )
        for outcome in SWAP_OUTCOMES:  # there from the start, so that the first one is seen to rise
            self._swaps.labels(outcome)

    def _processes(self) -> None:
        self._workers = self._gauge("nearfield_workers", "Processes that answer.")
        self._restarts = self._counter(
            "nearfield_worker_restarts", "Workers that ended unasked and were started anew."
        )
        self._memory = self._gauge(
            "nearfield_worker_resident_memory_bytes",
            "Memory of a worker, what it shares with others included.",
            ("worker",),
        )
        self._delay = self._gauge(
            "nearfield_event_loop_delay_seconds",
            "How late the event loop came to what it was asked to do, at the last look.",
            ("worker",),
        )
        self._certificate = self._gauge(
            "nearfield_certificate_expiry_timestamp_seconds",
            "When the certificate ends that a worker shows, in seconds since 1970; not there "
            "without TLS.",
            ("worker",),
        )
        self._dropped = self._counter(
            "nearfield_log_lines_dropped",
            "Lines of the log that were lost, because nobody read them fast enough.",
        )

    @property
    def described(self) -> tuple[Description, ...]:
        """Every metric there is, counted already or not."""
        return tuple(self._described)

    def batch(self, queue: str, jobs: int, left: int) -> None:
        """Count a micro-batch, and what waits on in its queue."""
        if queue not in self._queues:
            self._queues[queue] = self._batches.labels(queue), self._left.labels(queue)
        batches, waiting = self._queues[queue]
        batches.observe(jobs)
        waiting.set(left)

    def asked(self, featurizer: str, outcome: FeaturizerOutcome, seconds: float) -> None:
        """Count a question to a featurizer."""
        self._asked.labels(featurizer, outcome).observe(seconds)

    def spared(self, featurizer: str) -> None:
        """Count a question that was not asked, because the breaker was open."""
        self._spared.labels(featurizer).inc()

    def breaker(self, featurizer: str, state: BreakerState, *, changed: bool = True) -> None:
        """Tell the state of a featurizer's circuit breaker."""
        self._breaker.labels(featurizer).set(STATES[state])
        if changed:
            self._breaker_changes.labels(featurizer, state).inc()

    def stepped_in(self, texts: int) -> None:
        """Count texts that the fallback featurizer embedded."""
        self._stepped_in.inc(texts)

    def generation(
        self, name: str, *, space_id: str, file_format: int, as_of_s: float | None, now_s: float
    ) -> None:
        """Tell which generation this worker answers from; moments are seconds since 1970."""
        self._generation.labels(name, space_id, str(file_format)).set(1)
        self._loaded.labels(self._worker).set(now_s)
        self._as_of.labels(self._worker).set(as_of_s or 0.0)

    def no_generation(self, name: str, *, space_id: str, file_format: int) -> None:
        """Tell which generation this worker answers from no more."""
        self._generation.labels(name, space_id, str(file_format)).set(0)

    def swap(self, outcome: SwapOutcome) -> None:
        """Count a generation that was offered while the server ran. The supervisor's to say."""
        self._swaps.labels(outcome).inc()

    def workers(self, running: int) -> None:
        """Tell how many processes answer. The supervisor's to say."""
        self._workers.set(running)

    def worker_restarted(self) -> None:
        """Count a worker that had to be started anew. The supervisor's to say."""
        self._restarts.inc()

    def process(self, *, resident_bytes: int, loop_delay_s: float) -> None:
        """Tell how this worker is doing."""
        self._memory.labels(self._worker).set(resident_bytes)
        self._delay.labels(self._worker).set(loop_delay_s)

    def certificate(self, ends_s: float) -> None:
        """Tell when this worker's certificate ends, in seconds since 1970."""
        self._certificate.labels(self._worker).set(ends_s)

    def lines_dropped(self, lines: int) -> None:
        """Count lines of the log that were lost."""
        self._dropped.inc(lines)

    def close(self) -> None:
        """Count no more. Closing twice is harmless."""
        if self._shares:
            count_here()

    def _counter(self, name: str, told: str, labels: tuple[str, ...] = ()) -> Counter:
        self._described.append(Description(f"{name}_total", "counter", labels, told))
        return Counter(name, told, labels, registry=self.registry)

    def _histogram(
        self, name: str, told: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        self._described.append(Description(name, "histogram", labels, told))
        return Histogram(name, told, labels, buckets=buckets, registry=self.registry)

    def _gauge(
        self,
        name: str,
        told: str,
        labels: tuple[str, ...] = (),
        *,
        mode: Literal["livesum", "livemin", "livemax"] = "livesum",
    ) -> Gauge:
        self._described.append(Description(name, "gauge", labels, told))
        return Gauge(name, told, labels, multiprocess_mode=mode, registry=self.registry)


def _choose_values(folder: Path | None) -> None:
    """Say where what is counted from now on is kept: in a folder that processes share, or here.

    prometheus_client decides that while it is imported, by a variable of the environment that
    every child of a supervisor has. Once a process shares a folder it stays with it.

    None of our processes forks, so its number is not asked for anew whenever something is counted.
    """
    if folder is not None:
        os.environ[FOLDER] = str(folder)
        shared: Any = values.MultiProcessValue  # has no types
        pid = os.getpid()
        values.ValueClass = shared(process_identifier=lambda: pid)
    elif values.ValueClass is _AT_IMPORT:
        count_here()


def count_here() -> None:
    """Keep what is counted from now on in this process alone, and close files that are shared.

    Metrics of a folder must not count any more.
    """
    close: Any = values.close_all_multiprocess_files  # has no types
    close()
    values.ValueClass = values.MutexValue
