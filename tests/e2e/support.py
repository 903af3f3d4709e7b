"""The whole path as commands: each a process of its own, with a real vLLM."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import nearfield
from graph.worlds import two_communities
from nearfield import Client

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
HALF = 12
WORLD = two_communities(people=60, items_per_type=2 * HALF, withheld=2)
SETTINGS = """
[foundation]
dimensions = 32
hidden_dimensions = 32
fanout = 4
batch_size = 64
negatives = 32
loop = { epochs = 15, patience = 15, learning_rate = 0.003 }
[adaptation]
hidden_dimensions = [64]
dimensions = 32
batch_size = 64
negatives = 32
loop = { epochs = 15, patience = 15, learning_rate = 0.003 }
"""


def run(*arguments: str) -> str:
    """Run a module of the project and give what it wrote; fail with it where it failed."""
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(f"{arguments}: exit status {done.returncode}\n{done.stderr[-3000:]}")
    return done.stderr


def build(folder: Path, vllm_url: str) -> str:
    stages = ("--data", str(folder / "data"), "--run", str(folder / "run"))
    settings = ("--settings", str(folder / "settings.toml"), "--vllm-url", vllm_url)
    written = run("training", "all", *stages, *settings)
    return written + run("export", "--run", str(folder / "run"), "--out", str(folder))


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Client]:
    """Serve the generation of `folder` by a process of its own, which has to drain at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ("--generation", str(folder / "current"), "--port", str(port))
    everybody = ("--security.authentication", "off")
    command = [sys.executable, "-m", "server", *where, *everybody, *flags]
    log = (folder / "server.log").open("ab")
    with log, subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stderr=log) as server:
        try:
            with Client(f"127.0.0.1:{port}") as connected:
                wait_for(connected, server)
                yield connected
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0


def wait_for(client: Client, server: "subprocess.Popen[bytes]") -> None:
    """Return when the server answers."""
    deadline = time.monotonic() + 60
    while True:
        try:
            client.server_info(timeout_s=5)
        except nearfield.UnavailableError:
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not answer within 60 s"
            time.sleep(0.2)
        else:
            return
