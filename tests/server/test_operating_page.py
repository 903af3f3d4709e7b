"""docs/operating.md: its commands are run one after the other, against a server that they start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.generation import write_tiny_output

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operating.md").read_text("utf-8")
BLOCKS = [block.replace("\\\n", " ") for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
SERVER = "-m server --generation"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what the page speaks of, and with its Python, which takes fakes."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "$@"\n', "utf-8")
    python.chmod(0o755)
    for seed, folder in enumerate(("folder", "build", "other"), start=7):
        write_tiny_output(tmp_path / folder, seed=seed)
    return tmp_path


@contextmanager
def started(place: Path, command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Start the page's server, and wait until it serves."""
    tiny = command.replace("-m server ", "-m tests.server.serve_tiny ")
    log = place / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {tiny}"], cwd=place, env=ENVIRONMENT, stderr=output
        )
        try:
            for _ in range(600):
                assert process.poll() is None, log.read_text("utf-8")
                if "serving generation" in log.read_text("utf-8"):
                    break
                time.sleep(0.1)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def run(place: Path, script: str) -> str:
    done = subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}"],
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, script + done.stderr
    return done.stdout


def wait_for(place: Path, look: str, name: str) -> None:
    """Wait until all workers have changed: the trial before that makes way for whatever runs."""
    listing = look.splitlines()[-1]
    until = time.monotonic() + 90
    while not re.search(rf"^{name}\b.*_SERVING", run(place, listing), re.MULTILINE):
        assert time.monotonic() < until, f"{name} does not serve"
        time.sleep(0.5)


@pytest.mark.timeout(300)
def test_commands_of_the_page_work_one_after_the_other(place: Path) -> None:
    ports = {"50051": free_port(), "50052": free_port()}
    blocks = [re.sub("50051|50052", lambda found: ports[found[0]], block) for block in BLOCKS]
    start, look, send, drop, back = blocks
    assert SERVER in start
    names = {
        each: next((place / each / "generations").glob("[0-9a-f]*")).name
        for each in ("folder", "build", "other")
    }
    with started(place, start):
        assert names["folder"] in run(place, look)
        assert "SERVING" in run(place, send)
        assert (place / "folder" / "current").resolve().name == names["build"]
        run(place, drop)
        wait_for(place, look, names["other"])
        lines = run(place, back).splitlines()
    listed = lines[lines.index(next(each for each in lines if "REFUSAL" in each)) :]
    (serving,) = {line.split()[0] for line in listed if "STATE_SERVING" in line}
    assert serving == names["build"]
    assert (place / "folder" / "previous").resolve().name == names["other"]
