"""Calls without a server, and what telemetry says of them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from server.calls import Call
from server.methods import METHODS
from server.stopwatch import Times
from server.surround import Watcher
from server.telemetry.logs import Logs
from server.telemetry.settings import TelemetrySettings

RECOMMEND = METHODS["/nearfield.v1.RecommendationService/Recommend"]
EMBED_ITEM = METHODS["/nearfield.v1.EmbeddingService/EmbedItem"]
JSON = TelemetrySettings(log_format="json")
TIMES = Times(validation=0.001, queue=0.002, model=0.004)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def a_call(started: float = 1000.0, **changes: Any) -> Call:  # noqa: ANN401
    """A call as it looks at its end."""
    values: dict[str, Any] = {
        "request_id": "asked-for",
        "caller": "shop",
        "generation": "0123456789abcdef",
        "deadline": started + 5,
        **changes,
    }
    return Call(values.pop("method", RECOMMEND), None, started, **values)


def go_through(
    watcher: Watcher,
    call: Call,
    code: grpc.StatusCode = grpc.StatusCode.OK,
    metadata: tuple[tuple[str, str], ...] = (),
) -> None:
    """Tell a watcher of a call from its beginning to its end."""
    watcher.began(call, metadata)
    watcher.ended(call, code)


@contextmanager
def logging_to(
    path: Path, settings: TelemetrySettings = JSON, *, worker: int = 0
) -> Iterator[Logs]:
    """Log into a file for as long as the block lasts."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        with Logs(settings, worker=worker, descriptor=descriptor) as logs:
            yield logs
    finally:
        os.close(descriptor)


def lines(path: Path) -> list[dict[str, Any]]:
    """Read what was logged as JSON."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
