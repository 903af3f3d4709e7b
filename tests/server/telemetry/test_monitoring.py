"""deploy/monitoring: what it asks Prometheus for exists, and its alerts fire when they should."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.telemetry.metrics import Metrics

ROOT = Path(__file__).resolve().parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
ALERTS = MONITORING / "alerts.yml"
DASHBOARD: dict[str, Any] = json.loads((MONITORING / "nearfield-dashboard.json").read_text("utf-8"))
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
ENDINGS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}
SCRAPED = {
    described.name + ending: {*described.labels, *(("le",) if ending == "_bucket" else ())}
    for described in Metrics(by_caller=True).described
    for ending in ENDINGS[described.kind]
}
"""Labels of each series that a server has."""
ADDED = {"job", "instance"}
"""Labels that Prometheus adds."""
NAME = re.compile(r"\b(?:grpc|nearfield)_\w+")
SELECTOR = re.compile(r"\b((?:grpc|nearfield)_\w+)\{([^}]*)\}")


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None and not os.environ.get("CI"):
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    return found or "promtool"


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Everything that Prometheus is asked for, and by whom."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]
    for variable in DASHBOARD["templating"]["list"][1:]:
        yield variable["name"], variable["query"]["query"]


@pytest.mark.parametrize(("who", "expression"), list(expressions()))
def test_metrics_and_labels_that_are_asked_for_exist(who: str, expression: str) -> None:
    names = set(NAME.findall(re.sub(r"\bby \([^)]*\)|\{[^}]*\}", "", expression)))
    assert names or "up{" in expression
    assert names - SCRAPED.keys() == set()
    known = set().union(*(SCRAPED[name] for name in names)) | ADDED
    for grouped in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(re.split(r",\s*", grouped)) <= known
    for name, selected in SELECTOR.findall(expression):
        asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selected))
        assert asked <= SCRAPED[name] | ADDED


def test_every_metric_is_on_the_dashboard_but_those_of_callers() -> None:
    shown = set(NAME.findall(json.dumps(DASHBOARD)))
    for described in Metrics().described:
        assert any(described.name + end in shown for end in ENDINGS[described.kind]), described.name


def test_dashboard_is_one_that_grafana_takes() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {"uid", "title", "schemaVersion", "templating", "time"} <= DASHBOARD.keys()
    for panel in panels():
        assert panel["targets"], panel["title"]
        assert panel["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))
    titles = [row["title"] for row in DASHBOARD["panels"] if row["type"] == "row"]
    assert {"Traffic", "Errors", "Latency", "Saturation", "Featurizer", "Generations"} <= set(
        titles
    )


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (place["x"] + right, place["y"] + down)
            for right in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells


def test_every_alert_has_a_runbook_in_the_page_and_the_other_way_round() -> None:
    sections = re.findall(r"^### (Nearfield\w+)$", PAGE, flags=re.MULTILINE)
    assert sections == [rule["alert"] for rule in rules()]
    for rule in rules():
        assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_rules_and_configuration_are_ones_that_prometheus_takes(promtool: str) -> None:
    run(promtool, "check", "rules", str(ALERTS))
    run(promtool, "check", "config", str(MONITORING / "prometheus.yml"))


def test_alerts_fire_when_they_should(promtool: str) -> None:
    cases = Path(__file__).with_name("alerts_test.yml")
    run(promtool, "test", "rules", str(cases))
    tested = set(re.findall(r"alertname: (\w+)", cases.read_text("utf-8")))
    assert tested == {rule["alert"] for rule in rules()}


def test_expressions_of_the_dashboard_are_promql(promtool: str, tmp_path: Path) -> None:
    asked = [
        re.sub(r"\$__rate_interval", "5m", target["expr"]).replace("$job", "a")
        for panel in panels()
        for target in panel["targets"]
    ]
    recorded = [{"record": f"panel:{place}", "expr": expr} for place, expr in enumerate(asked)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": recorded}]}), "utf-8")
    run(promtool, "check", "rules", "--lint=none", str(path))
