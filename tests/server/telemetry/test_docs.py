"""docs/monitoring.md: its commands are run, its tables compared with what there is."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import use_span
from pydantic_settings import CliApp

from nearfield.testing import FakeServer
from server.breaker import BreakerSettings
from server.settings import Settings
from server.telemetry.metrics import Metrics
from server.telemetry.settings import TelemetrySettings
from tests.server.telemetry.test_process import Server, ask, serving

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "monitoring.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, flags=re.DOTALL)
SERVER = ".venv/bin/python -m server "
PORT = "9464"


def commands(kind: str) -> list[str]:
    """The page's commands of a kind, in order: what they begin with says which."""
    lines = [
        line
        for language, block in BLOCKS
        if language == "sh"
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [line for line in lines if line.startswith(kind)]


def flags(command: str) -> list[str]:
    """The flags of a server."""
    return shlex.split(command.removeprefix(SERVER).partition(" 2>")[0])


@pytest.fixture
def running(folder: Path) -> Iterator[tuple[Server, str]]:
    """The page's first server, on ports of its own, with a call answered; and its metrics' port."""
    first = flags(commands(SERVER)[0])
    given = ["0" if flag == PORT else flag for flag in first]
    place = given.index("--generation")
    del given[place : place + 2]
    with serving(folder, *given) as server:
        port = server.wait_for("metrics on port ")
        ask(server.wait_for("serving generation ").partition(" on ")[2])
        yield server, port


def shell(command: str, cwd: Path) -> str:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, command + done.stderr
    return done.stdout


def test_servers_of_the_page_start_with_these_flags() -> None:
    first, second = (CliApp.run(Settings, cli_args=flags(each)) for each in commands(SERVER))
    assert first.telemetry.metrics_port == int(PORT)
    assert second.telemetry.otlp_endpoint == "http://127.0.0.1:4317"
    assert second.telemetry.trace_ratio == TelemetrySettings().trace_ratio


def test_questions_to_the_metrics_port_are_answered(
    running: tuple[Server, str], tmp_path: Path
) -> None:
    if shutil.which("curl") is None and not os.environ.get("CI"):
        pytest.skip("curl is not installed")
    asked = [line.replace(PORT, running[1]) for line in commands("curl")]
    assert [shell(line, tmp_path) for line in asked] == [
        "nearfield_workers 1.0\n",
        "alive\n",
        "ready\n",
    ]


def test_failed_calls_are_found_in_the_log(running: tuple[Server, str], tmp_path: Path) -> None:
    server, _ = running
    assert server.process.stderr is not None
    server.process.terminate()
    log = tmp_path / "var" / "server.log"
    log.parent.mkdir()
    log.write_text(server.process.stderr.read(), "utf-8")
    (command,) = commands("grep")
    (line,) = shell(command, tmp_path).splitlines()
    assert '"code":"NOT_FOUND"' in line


def test_prometheus_takes_its_configuration() -> None:
    if shutil.which("promtool") is None and not os.environ.get("CI"):
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    for command in commands("promtool"):
        shell(command, ROOT)
    (start,) = commands("prometheus ")
    named = re.findall(r"--config\.file=(\S+)", start)
    shell(f"promtool check config {named[0]}", ROOT)


def test_client_of_the_page_sends_its_trace_along(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for language, block in BLOCKS if language == "python"]
    span = TracerProvider(shutdown_on_exit=False).get_tracer("theirs").start_span("a page")
    names: dict[str, Any] = {"__name__": "example"}
    with FakeServer() as fake, use_span(span):
        aimed = block.replace("localhost:50051", fake.target)
        exec(compile(aimed, "docs/monitoring.md", "exec"), names)
        sent = dict(names["trace_headers"]("/any"))
    assert capsys.readouterr().out == "nearfield.v1\n"
    assert f"{span.get_span_context().trace_id:032x}" in sent["traceparent"]


def test_table_of_metrics_is_what_a_server_has() -> None:
    section = PAGE.split("## Metrics")[1].split("## Traces")[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    told = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)), what)
        for name, kind, labels, what in rows
    ]
    there = [
        (each.name, each.kind, each.labels, each.told) for each in Metrics(by_caller=True).described
    ]
    assert told == there


def test_page_names_flags_that_are_there_and_their_defaults() -> None:
    for group, model in (("telemetry", TelemetrySettings), ("breaker", BreakerSettings)):
        named = {name.replace("-", "_") for name in re.findall(rf"--{group}\.([a-z-]+)", PAGE)}
        assert named - model.model_fields.keys() == set()
        assert named
    breaker = BreakerSettings()
    for value in (
        f"`--breaker.failures` ({breaker.failures})",
        f"`--breaker.first-rest-s` ({breaker.first_rest_s:g} s)",
        f"`--breaker.longest-rest-s` ({breaker.longest_rest_s:g} s)",
    ):
        assert value in PAGE


def test_fields_of_a_record_are_the_ones_that_the_page_tells(running: tuple[Server, str]) -> None:
    server, _ = running
    server.end()
    calls = [line for line in server.logged if line["event"] == "call"]
    told = set(re.findall(r"`(\w+)`", PAGE.split("## Logs")[1].split("## Metrics")[0]))
    written = {name for call in calls for name in call}
    assert written <= told
