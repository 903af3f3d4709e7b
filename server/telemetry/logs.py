"""The one place where logging is set up: every line of every library takes the same way out.

A line is made of a record of the standard library, the call it belongs to, and the process; secrets
are taken out right before it is written.
"""

import io
import json
import logging
import os
import sys
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Self, TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from server.calls import CURRENT
from server.security.redact import redact
from server.telemetry.lines import LineWriter
from server.telemetry.settings import LogFormat, TelemetrySettings

QUIET = ("httpx", "httpcore", "opentelemetry")
"""Libraries that tell of every request; only their warnings are of interest."""
STDERR = 2
ON_THE_WAY: tuple[Processor, ...] = (
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
"""What happens to an event where it is logged."""
_ENCODER = json.JSONEncoder(separators=(",", ":"), default=repr)


class _Handler(logging.Handler):
    """Gives formatted records to the writer."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Add the record's line."""
        try:
            self._writer.write(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)


class Logs:
    """Logging of one process, from here until `close`.

    With several processes each sets up its own, after the fork.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        *,
        worker: int | None = None,
        descriptor: int = STDERR,
        stream: TextIO | None = None,
    ) -> None:
        self.writer = LineWriter(descriptor, most=settings.log_queue_lines)
        """Where lines go."""
        self.render = renderer(settings.log_format, stream or sys.stderr)
        """Turns an event, redacted already, into a line."""
        self.process: Mapping[str, int] = {"pid": os.getpid()} | (
            {} if worker is None else {"worker": worker}
        )
        """What every line says of this process."""
        self._handler = _Handler(self.writer)
        self._handler.setFormatter(
            ProcessorFormatter(
                foreign_pre_chain=ON_THE_WAY,
                processors=[
                    ProcessorFormatter.remove_processors_meta,
                    self._bind,
                    structlog.processors.format_exc_info,
                    redact,
                    self.render,
                ],
            )
        )
        root = logging.getLogger()
        for old in [each for each in root.handlers if isinstance(each, _Handler)]:
            root.removeHandler(old)  # of the process that this one was forked from
        root.addHandler(self._handler)
        root.setLevel(settings.log_level.upper())
        for name in QUIET:
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.captureWarnings(True)
        structlog.configure(
            processors=[*ON_THE_WAY, ProcessorFormatter.wrap_for_formatter],
            wrapper_class=structlog.stdlib.BoundLogger,
            logger_factory=structlog.stdlib.LoggerFactory(),
        )

    def __enter__(self) -> Self:
        """Log until the block ends."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what was logged."""
        self.close()

    def close(self) -> None:
        """Write what was logged, and log no more. Closing twice is harmless."""
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self._handler)
        self.writer.close()

    def _bind(
        self, logger: object, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Say which process and, where there is one, which call an event belongs to."""
        event.update(self.process)
        call = CURRENT.get(None)
        if call is not None:
            event.setdefault("method", call.method.path)
            event.setdefault("request_id", call.request_id)
            if call.caller:
                event.setdefault("caller", call.caller)
        return event


def renderer(kind: LogFormat, stream: TextIO) -> Processor:
    """Return what writes an event: as JSON, or for people."""
    if kind == "auto":
        kind = "console" if _is_terminal(stream) else "json"
    if kind == "json":
        return _write_json
    return structlog.dev.ConsoleRenderer(
        colors=_is_terminal(stream), exception_formatter=structlog.dev.plain_traceback
    )


def _write_json(logger: object, method: str, event: MutableMapping[str, Any]) -> str:
    return _ENCODER.encode(event)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (ValueError, io.UnsupportedOperation):  # closed, or none at all
        return False
