"""What is taken from a file of metrics, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from export.errors import MetricsError
from export.metrics import SERVED_MODEL, main, read_metrics
from training.comparison import SERVED
from training.evaluate import Measurement, write_metrics

HIT_RATE = {
    "model": "nearfield",
    "slice": "overall",
    "metric": "HR@10",
    "value": 0.25,
    "low": 0.2,
    "high": 0.3,
    "users": 40,
}


def test_what_evaluation_writes_of_the_served_model_alone_is_taken(tmp_path: Path) -> None:
    names = (SERVED, "popularity", f"{SERVED} - popularity")
    write_metrics(
        tmp_path / "metrics.json",
        [Measurement(name, "overall", "HR@10", 0.25, 0.2, 0.3, 40) for name in names]
        + [Measurement(SERVED, "overall", "coverage@10", 0.5, None, None, 40)],
    )

    coverage = HIT_RATE | {"metric": "coverage@10", "value": 0.5, "low": None, "high": None}
    assert read_metrics(tmp_path / "metrics.json") == (HIT_RATE, coverage)


def test_training_and_export_call_the_served_model_the_same() -> None:
    assert SERVED_MODEL == SERVED


@pytest.mark.parametrize(
    "change",
    [
        {"value": None},
        {"value": "0.25"},
        {"value": float("nan")},
        {"users": True},
        {"low": [0.2]},
        {"slice": None},
        {"unit": "share"},
    ],
)
def test_a_line_that_is_no_measurement_is_named(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps([HIT_RATE, HIT_RATE | change]))

    with pytest.raises(MetricsError, match=r"metrics\.json: expected model, slice, metric, value"):
        read_metrics(path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "expected a list of measurements, got '{}'"),
        ("[1]", "expected model, slice, metric, value, users, low, high of a measurement"),
        ("[", "not readable as JSON"),
        ("[]", r"expected measurements of 'nearfield', got \[\]"),
        (
            json.dumps([HIT_RATE | {"model": "popularity"}]),
            r"expected measurements of 'nearfield', got \['popularity'\]",
        ),
    ],
)
def test_a_file_without_measurements_of_the_served_model_is_named(
    tmp_path: Path, text: str, problem: str
) -> None:
    (tmp_path / "metrics.json").write_text(text)

    with pytest.raises(MetricsError, match=rf"metrics\.json: {problem}"):
        read_metrics(tmp_path / "metrics.json")


def test_a_file_can_be_checked_before_long_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps([HIT_RATE]))
    assert main([str(path)]) == 0
    path.write_text("[]")
    assert main([str(path)]) == 1
    assert capsys.readouterr().err == (
        f"export: {path}: expected measurements of 'nearfield', got []; "
        "evaluate anew, or move the file away\n"
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetricsError, match=r"none\.json: no such file"):
        read_metrics(tmp_path / "none.json")
