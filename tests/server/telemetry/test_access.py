from pathlib import Path
from typing import Any

import grpc
import pytest

from server.telemetry.access import AccessRecords
from server.telemetry.settings import AccessLog, TelemetrySettings
from tests.server.telemetry.support import (
    JSON,
    TIMES,
    Clock,
    a_call,
    go_through,
    lines,
    logging_to,
)

OK, NOT_FOUND, INTERNAL = (
    grpc.StatusCode.OK,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INTERNAL,
)


def records(
    path: Path,
    *calls: tuple[dict[str, Any], grpc.StatusCode, float],
    settings: TelemetrySettings = JSON,
) -> list[dict[str, Any]]:
    """Let calls end, each with a code and after some seconds; read what was logged."""
    with logging_to(path, settings, worker=2) as logs:
        clock = Clock()
        watcher = AccessRecords(logs, settings, monotonic=clock, wall=lambda: 1.5)
        for changes, code, took in calls:
            clock.now = 1000.0 + took
            go_through(watcher, a_call(**changes), code)
    return lines(path)


def test_record_says_who_asked_what_and_where_the_time_went(tmp_path: Path) -> None:
    call = {"times": TIMES, "request_bytes": 40, "response_bytes": 400, "trace_id": "ab" * 16}
    (record,) = records(tmp_path / "log", (call, OK, 0.0125))
    assert record.pop("pid") > 0
    assert record == {
        "event": "call",
        "level": "info",
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "method": "/nearfield.v1.RecommendationService/Recommend",
        "code": "OK",
        "request_id": "asked-for",
        "caller": "shop",
        "generation": "0123456789abcdef",
        "total_ms": 12.5,
        "request_bytes": 40,
        "response_bytes": 400,
        "deadline_left_ms": 4987.5,
        "validation_ms": 1.0,
        "queue_ms": 2.0,
        "featurizer_ms": 0.0,
        "model_ms": 4.0,
        "retrieval_ms": 0.0,
        "trace_id": "ab" * 16,
        "worker": 2,
    }


def test_failed_call_says_why_and_faults_are_errors(tmp_path: Path) -> None:
    first, second = records(
        tmp_path / "log",
        ({"reason": "USER_UNKNOWN", "deadline": float("inf")}, NOT_FOUND, 0.001),
        ({"reason": "FAULT"}, INTERNAL, 0.001),
    )
    assert (first["level"], first["reason"]) == ("warning", "USER_UNKNOWN")
    assert not {"deadline_left_ms", "model_ms", "trace_id"} & first.keys()
    assert (second["level"], second["reason"]) == ("error", "FAULT")


def test_failed_elements_of_a_batch_are_counted(tmp_path: Path) -> None:
    failed = {"element_reasons": ("ITEM_UNKNOWN", "ITEM_UNKNOWN")}
    (record,) = records(tmp_path / "log", (failed, OK, 0.001))
    assert (record["failed_elements"], record["level"]) == (2, "info")


@pytest.mark.parametrize(
    ("logged", "codes"),
    [
        ("all", ["OK", "OK", "NOT_FOUND"]),
        ("slow_and_failed", ["OK", "NOT_FOUND"]),
        ("failed", ["NOT_FOUND"]),
    ],
)
def test_setting_says_which_calls_leave_a_record(
    tmp_path: Path, logged: AccessLog, codes: list[str]
) -> None:
    told = records(
        tmp_path / "log",
        ({}, OK, 0.09),
        ({}, OK, 0.1),
        ({}, NOT_FOUND, 0.001),
        settings=TelemetrySettings(log_format="json", access_log=logged, slow_ms=100),
    )
    assert [record["code"] for record in told] == codes


def test_key_in_the_place_of_an_id_is_not_logged(tmp_path: Path) -> None:
    key = "nf_abcdefghij_sesame0sesame0sesame0"
    records(tmp_path / "log", ({"request_id": key, "caller": f"Bearer {key}"}, OK, 0.001))
    assert "sesame" not in (tmp_path / "log").read_text("utf-8")


def test_people_read_records_too(tmp_path: Path) -> None:
    settings = TelemetrySettings(log_format="console")
    with logging_to(tmp_path / "log", settings) as logs:
        go_through(AccessRecords(logs, settings, monotonic=Clock()), a_call())
    assert "request_id=asked-for" in (tmp_path / "log").read_text("utf-8")
