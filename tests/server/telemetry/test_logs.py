import io
import json
import logging
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from server.calls import CURRENT
from server.telemetry.logs import renderer
from server.telemetry.settings import LogFormat, TelemetrySettings
from tests.server.telemetry.support import a_call, lines, logging_to

ROOT = Path(__file__).resolve().parents[3]
KEY = "nf_abcdefghij_sesame0sesame0sesame0"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_record_of_the_standard_library_is_one_line_with_its_process_and_time(
    tmp_path: Path,
) -> None:
    before = datetime.now(UTC)
    with logging_to(tmp_path / "log", worker=3):
        logging.getLogger("server.app").info("serving %s", "it")
        logging.getLogger("grpc").warning("odd")
    first, second = lines(tmp_path / "log")
    assert (first["event"], first["level"], first["logger"]) == ("serving it", "info", "server.app")
    assert (first["worker"], first["pid"]) == (3, os.getpid())
    assert first["timestamp"].endswith("Z")
    assert before <= datetime.fromisoformat(first["timestamp"]) <= datetime.now(UTC)
    assert (second["event"], second["level"]) == ("odd", "warning")


def test_structlogs_own_loggers_take_the_same_way(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log", worker=1):
        structlog.get_logger("server.swap").info("swapped", generation="abc", api_key="sesame")
    (line,) = lines(tmp_path / "log")
    assert (line["event"], line["generation"], line["worker"]) == ("swapped", "abc", 1)
    assert (line["api_key"], line["logger"]) == ("[redacted]", "server.swap")


def test_what_is_logged_within_a_call_says_which(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log"):
        token = CURRENT.set(a_call())
        logging.getLogger("server").warning("odd")
        CURRENT.reset(token)
        logging.getLogger("server").warning("odd")
    within, without = lines(tmp_path / "log")
    assert (within["request_id"], within["caller"]) == ("asked-for", "shop")
    assert within["method"] == "/nearfield.v1.RecommendationService/Recommend"
    assert not {"request_id", "caller", "method"} & without.keys()


def test_secrets_are_taken_out_of_messages_arguments_and_tracebacks(tmp_path: Path) -> None:
    log = logging.getLogger("server")
    with logging_to(tmp_path / "log"):
        log.info("authorization: Bearer %s", KEY)
        log.info("metadata %r", [("x-api-key", KEY)])
        try:
            raise ValueError(f"no such key: {KEY}")
        except ValueError:
            log.exception("request failed")
    written = (tmp_path / "log").read_text("utf-8")
    assert "sesame" not in written
    assert "Traceback" in lines(tmp_path / "log")[2]["exception"]


def test_libraries_that_tell_of_every_request_are_quiet(tmp_path: Path) -> None:
    with logging_to(tmp_path / "log"):
        logging.getLogger("httpx").info("HTTP Request: POST http://vllm")
        logging.getLogger("httpx").warning("odd")
    assert [line["event"] for line in lines(tmp_path / "log")] == ["odd"]


@pytest.mark.parametrize(("level", "told"), [("debug", 4), ("info", 3), ("error", 1)])
def test_level_is_a_setting(tmp_path: Path, level: str, told: int) -> None:
    log = logging.getLogger("server")
    settings = TelemetrySettings.model_validate({"log_level": level, "log_format": "json"})
    with logging_to(tmp_path / "log", settings):
        for tell in (log.debug, log.info, log.warning, log.error):
            tell("odd")
    assert len(lines(tmp_path / "log")) == told


def test_nothing_is_logged_after_the_end_and_twice_is_once(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    with logging_to(tmp_path / "log") as logs:
        logging.getLogger("server").info("one")
        logs.close()
    assert logging.getLogger().handlers == handlers
    assert [line["event"] for line in lines(tmp_path / "log")] == ["one"]


@pytest.mark.parametrize(
    ("kind", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_people_read_other_lines_than_machines(
    kind: LogFormat, stream: TextIO, is_json: bool
) -> None:
    event = {"event": "call", "level": "info", "timestamp": "2026-11-26T12:00:00Z", "code": "OK"}
    line = str(renderer(kind, stream)(None, "info", dict(event)))
    if is_json:
        assert json.loads(line) == event
    else:
        plain = re.sub(r"\x1b\[[0-9;]*m", "", line)
        assert plain.split() == ["2026-11-26T12:00:00Z", "[info", "]", "call", "code=OK"]


def test_forked_worker_logs_by_itself() -> None:
    script = (
        "import logging, os\n"
        "from server.telemetry.logs import Logs\n"
        "from server.telemetry.settings import TelemetrySettings\n"
        "settings = TelemetrySettings(log_format='json')\n"
        "def run(worker):\n"
        "    with Logs(settings, worker=worker):\n"
        "        logging.getLogger('server').info('here')\n"
        "logs = Logs(settings)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    run(1)\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "logging.getLogger('server').info('here')\n"
        "logs.close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line.get("worker")) for line in told] == [("here", 1), ("here", None)]
    assert told[0]["pid"] != told[1]["pid"]
