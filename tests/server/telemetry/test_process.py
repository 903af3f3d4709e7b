"""The server as a process: its log is JSON, and it is scraped while it serves."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import psutil
import pytest

from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceStub
from tests.server.telemetry.test_exposition import scrape_text

ROOT = Path(__file__).resolve().parents[3]
METHOD = "nearfield.v1.EmbeddingService/EmbedItem"


@dataclass
class Server:
    """A running one, and what it has logged so far."""

    process: subprocess.Popen[str]
    logged: list[dict[str, Any]]

    def wait_for(self, beginning: str) -> str:
        """Read the log up to an event that begins so, and give the rest of it."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.logged.append(json.loads(line))
            event: str = self.logged[-1]["event"]
            if event.startswith(beginning):
                return event.removeprefix(beginning)
        raise AssertionError(f"the server ended and never said {beginning!r}")

    def end(self) -> None:
        """Drain it, and read the rest of its log."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        self.logged.extend(json.loads(line) for line in self.process.stderr)
        assert self.process.wait(20) == 0


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Server]:
    """Run a server until the block ends."""
    command = [sys.executable, "-W", "error", "-m", "tests.server.serve_tiny"]
    command += ["--generation", str(folder), "--port", "0", "--drain-wait-s", "0"]
    command += ["--featurizer", "none", "--security.authentication", "off", *flags]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        yield Server(process, [])
    finally:
        process.kill()
        process.communicate()


def ask(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub = EmbeddingServiceStub(channel)
        stub.EmbedItem(embedding_pb2.EmbedItemRequest(item_id="podcast-01"), timeout=10)
        with pytest.raises(grpc.RpcError):
            stub.EmbedItem(embedding_pb2.EmbedItemRequest(item_id="nobody"), timeout=10)


def compute(address: str) -> None:
    user = types_pb2.UserInput(history=[types_pb2.HistoryEvent(item_id="podcast-01")])
    with grpc.insecure_channel(address) as channel:
        EmbeddingServiceStub(channel).EmbedUser(
            embedding_pb2.EmbedUserRequest(user=user), timeout=10
        )


def test_server_is_scraped_while_it_serves(folder: Path) -> None:
    with serving(folder, "--telemetry.metrics-port", "0") as server:
        url = f"http://127.0.0.1:{server.wait_for('metrics on port ')}"
        generation, _, address = server.wait_for("serving generation ").partition(" on ")
        ask(address)
        compute(address)
        scraped = scrape_text(httpx.get(f"{url}/metrics").text)
        assert httpx.get(f"{url}/readyz").text == "ready\n"
        server.end()
    assert scraped["grpc_server_call_started_total", frozenset({METHOD})] == 2
    unknown = frozenset({METHOD, "NOT_FOUND"})
    assert scraped["grpc_server_call_duration_seconds_count", unknown] == 1
    assert scraped["nearfield_workers", frozenset()] == 1
    assert scraped["nearfield_worker_resident_memory_bytes", frozenset({"0"})] > 1 << 24
    infos = [labels for name, labels in scraped if name == "nearfield_generation_info"]
    assert [generation in labels for labels in infos] == [True]
    assert scraped["nearfield_answers_total", frozenset({METHOD, "read"})] == 1
    assert scraped["nearfield_micro_batch_jobs_count", frozenset({"users"})] == 1


def test_log_is_json_where_nobody_sits_before_it(folder: Path) -> None:
    with serving(folder) as server:
        address = server.wait_for("serving generation ").partition(" on ")[2]
        ask(address)
        server.end()
    calls = [line for line in server.logged if line["event"] == "call"]
    assert [line["code"] for line in calls] == ["OK", "NOT_FOUND"]
    assert calls[1]["reason"] == "ITEM_UNKNOWN"
    assert {line["caller"] for line in calls} == {"anybody"}
    assert server.logged[-1]["event"] == "stopped"
    ours = [line for line in server.logged if "worker" not in line]
    assert {line["pid"] for line in ours} == {server.process.pid}
    assert {line["worker"] for line in calls} == {0}
    assert server.process.pid not in {line["pid"] for line in calls}


def test_worker_that_dies_leaves_its_counts_and_is_counted_itself(folder: Path) -> None:
    flags = ("--telemetry.metrics-port", "0", "--workers", "2")
    with serving(folder, *flags) as server:
        url = f"http://127.0.0.1:{server.wait_for('metrics on port ')}/metrics"
        address = server.wait_for("serving generation ").partition(" on ")[2]
        for _ in range(6):
            ask(address)
        before = scrape_text(httpx.get(url).text)
        workers = psutil.Process(server.process.pid).children()
        workers[0].kill()
        server.wait_for("worker 0 answers again")
        ask(address)
        after = scrape_text(httpx.get(url).text)
        server.end()
    started = "grpc_server_call_started_total", frozenset({METHOD})
    assert (before[started], after[started]) == (12, 14)
    assert before["nearfield_worker_restarts_total", frozenset()] == 0
    assert after["nearfield_worker_restarts_total", frozenset()] == 1
    assert after["nearfield_workers", frozenset()] == 2
    (info,) = [labels for name, labels in after if name == "nearfield_generation_info"]
    assert after["nearfield_generation_info", info] == 2
    memory = [name for name, _ in after if name == "nearfield_worker_resident_memory_bytes"]
    assert len(memory) == 2
