"""One line for each call, at its end: what was asked of us, how it ended, where its time went."""

import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import grpc

from server.calls import Call
from server.methods import Method
from server.security.authenticator import Metadata
from server.security.redact import redact_text
from server.stopwatch import NO_TIMES, Times
from server.telemetry.logs import Logs
from server.telemetry.settings import AccessLog, TelemetrySettings

STAGES = ("validation", "queue", "featurizer", "model", "retrieval")
"""Fields of `Times`, in the order in which a call goes through them."""
FAULTS = frozenset({grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS})
"""Codes that are a bug of ours."""


class AccessRecords:
    """Writes the records of calls; a Watcher.

    They are built by hand instead of by a logger: what comes from outside is redacted alone, and a
    record costs a third of what it would otherwise.
    """

    def __init__(
        self,
        logs: Logs,
        settings: TelemetrySettings,
        *,
        monotonic: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._write = logs.writer.write
        self._render = logs.render
        self._process = logs.process
        self._least_s = _least_s(settings.access_log, settings.slow_ms)
        self._monotonic = monotonic
        self._wall = wall

    def began(self, call: Call, metadata: Metadata) -> None:
        """Do nothing yet."""

    def turned_away(self, method: Method) -> None:
        """Leave no record: a server that has no time for calls has none to write of each."""

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """Write the record, where the call is one of those that leave one."""
        took = self._monotonic() - call.started
        if code is not grpc.StatusCode.OK or took >= self._least_s:
            level = _level(code)
            self._write(str(self._render(None, level, self._record(call, code, level, took))))

    def _record(self, call: Call, code: grpc.StatusCode, level: str, took: float) -> dict[str, Any]:
        record: dict[str, Any] = {
            "event": "call",
            "level": level,
            "timestamp": _utc(self._wall()),
            "method": call.method.path,
            "code": code.name,
            "request_id": redact_text(call.request_id),
            "caller": redact_text(call.caller),
            "generation": call.generation,
            "total_ms": _ms(took),
            "request_bytes": call.request_bytes,
            "response_bytes": call.response_bytes,
        }
        if call.reason:
            record["reason"] = call.reason
        if call.deadline < float("inf"):
            record["deadline_left_ms"] = _ms(call.deadline - call.started - took)
        if call.element_reasons:
            record["failed_elements"] = len(call.element_reasons)
        if call.times != NO_TIMES:
            record.update(_stages(call.times))
        if call.trace_id:
            record["trace_id"] = call.trace_id
        record.update(self._process)
        return record


def _least_s(logged: AccessLog, slow_ms: float) -> float:
    """Return how long a call that succeeds has to take to be logged."""
    return {"all": 0.0, "slow_and_failed": slow_ms / 1000, "failed": float("inf")}[logged]


def _level(code: grpc.StatusCode) -> str:
    if code is grpc.StatusCode.OK:
        return "info"
    return "error" if code in FAULTS else "warning"


def _stages(times: Times) -> dict[str, float]:
    return {f"{stage}_ms": _ms(getattr(times, stage)) for stage in STAGES}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


@lru_cache(maxsize=2)
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))


def _utc(seconds: float) -> str:
    """Write a moment in ISO 8601, to the microsecond."""
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1e6):06d}Z"
