"""What every call adds to the metrics."""

from collections import Counter
from collections.abc import Callable

import grpc
from prometheus_client import Histogram

from server.calls import Call
from server.methods import Method
from server.security.authenticator import Metadata
from server.stopwatch import NO_TIMES
from server.telemetry.access import STAGES
from server.telemetry.metrics import Metrics

OVERLOADED = "OVERLOADED"
"""The reason of calls that are turned away."""


class _MethodMetrics:
    """What is counted of one method. Finding a series by its labels costs as much as counting."""

    def __init__(self, metrics: Metrics, method: Method) -> None:
        self.name = method.path.removeprefix("/")
        self.started = metrics.started.labels(self.name)
        self.under_way = metrics.under_way.labels(self.name)
        self.read = metrics.answers.labels(self.name, "read")
        self.computed = metrics.answers.labels(self.name, "computed")
        self.overloaded = metrics.refusals.labels(self.name, OVERLOADED)
        self.stages = tuple((each, metrics.stages.labels(self.name, each)) for each in STAGES)
        self._metrics = metrics
        self._by_code: dict[grpc.StatusCode, tuple[Histogram, Histogram, Histogram]] = {}

    def ended(self, code: grpc.StatusCode) -> tuple[Histogram, Histogram, Histogram]:
        """Return what durations, sent and received bytes are put into."""
        if code not in self._by_code:
            labels = self.name, code.name
            self._by_code[code] = (
                self._metrics.duration.labels(*labels),
                self._metrics.sent.labels(*labels),
                self._metrics.received.labels(*labels),
            )
        return self._by_code[code]


class CallMetrics:
    """Counts calls; a Watcher."""

    def __init__(self, metrics: Metrics, *, monotonic: Callable[[], float]) -> None:
        self._metrics = metrics
        self._monotonic = monotonic
        self._methods: dict[str, _MethodMetrics] = {}

    def began(self, call: Call, metadata: Metadata) -> None:
        """Count it as under way."""
        method = self._of(call.method)
        method.started.inc()
        method.under_way.inc()

    def turned_away(self, method: Method) -> None:
        """Count it among the refusals alone."""
        self._of(method).overloaded.inc()

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """Count how it ended."""
        method = self._of(call.method)
        method.under_way.dec()
        duration, sent, received = method.ended(code)
        duration.observe(self._monotonic() - call.started)
        sent.observe(call.response_bytes)
        received.observe(call.request_bytes)
        if call.read:
            method.read.inc(call.read)
        if call.computed:
            method.computed.inc(call.computed)
        if call.times is not NO_TIMES:
            self._stages(method, call)
        if call.reason or call.element_reasons:
            self._refused(method, call)
        if self._metrics.caller_calls is not None and call.caller:
            self._metrics.caller_calls.labels(call.caller, code.name).inc()

    def _stages(self, method: _MethodMetrics, call: Call) -> None:
        for stage, histogram in method.stages:
            seconds: float = getattr(call.times, stage)
            if seconds:
                histogram.observe(seconds)

    def _refused(self, method: _MethodMetrics, call: Call) -> None:
        if call.reason:
            self._metrics.refusals.labels(method.name, call.reason).inc()
        for reason, elements in Counter(call.element_reasons).items():
            self._metrics.element_failures.labels(method.name, reason).inc(elements)

    def _of(self, method: Method) -> _MethodMetrics:
        found = self._methods.get(method.name)
        if found is None:
            found = self._methods[method.name] = _MethodMetrics(self._metrics, method)
        return found
