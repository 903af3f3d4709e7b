"""What can be set about logs, metrics and traces."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, field_validator
from pydantic_core import PydanticCustomError

AccessLog = Literal["all", "slow_and_failed", "failed"]
LogFormat = Literal["auto", "json", "console"]


class TelemetrySettings(BaseModel):
    """What the server tells about itself, and to whom."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level of what is logged. Records of calls are not held to it; access_log is theirs."""
    log_format: LogFormat = "auto"
    """How lines of the log look: json for machines, console for people. auto is console where
    standard error is a terminal, and json elsewhere."""
    access_log: AccessLog = "all"
    """Calls that leave a line in the log. A failed one always does; slow_and_failed adds those that
    took slow_ms or longer."""
    slow_ms: PositiveFloat = 250.0
    """Milliseconds from which a call is slow, for access_log."""
    log_queue_lines: PositiveInt = 10_000
    """Lines that wait for a reader of standard error that is slow. What is more is dropped and
    counted, so that no call waits for it; a line takes about 0.5 KB."""

    metrics_host: str = "127.0.0.1"
    """Address of metrics_port. Whoever reaches it reads it: there are no keys and no TLS."""
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """Port for /metrics, /livez and /readyz over HTTP; 0 takes a free one and the log tells which.
    None for no such port."""
    metrics_by_caller: bool = False
    """Count calls by the caller's name as well. Every caller is a series for as long as the server
    runs, so this is for few callers with names that you gave; with tokens each `sub` is one."""

    otlp_endpoint: str = ""
    """Where traces go by OTLP over gRPC, for example http://127.0.0.1:4317; https:// for TLS. Empty
    for no traces."""
    trace_ratio: float = Field(default=0.01, ge=0, le=1)
    """Part of the calls that are traced, of those whose caller has not decided it: one that brings
    a traceparent has. A traced call costs about 0.1 ms more."""
    trace_queue_spans: PositiveInt = 2048
    """Spans that wait to be sent. What is more is dropped."""

    @field_validator("otlp_endpoint")
    @classmethod
    def _address(cls, endpoint: str) -> str:
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise PydanticCustomError("no_scheme", "expected http:// or https:// at its beginning")
        return endpoint
