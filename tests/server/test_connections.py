"""Connections that say nothing, more of them than the server may have files open."""

import re
import resource
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil
import pytest

from nearfield.v1 import embedding_pb2
from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceStub
from server.connections import (
    RESERVED,
    connection_options,
    most_connections,
    raise_descriptor_limit,
)
from tests.server.support import make_settings

ROOT = Path(__file__).resolve().parents[2]
LIMIT, IDLE = 300, 500
PROGRAM = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, ({LIMIT // 2}, {LIMIT}))
from server.__main__ import main
from tests.server.serve_tiny import TINY
sys.exit(main(sys.argv[1:], programs=TINY))
"""
Limits = tuple[int, int]


@dataclass(frozen=True)
class Server:
    """A server with a port for callers and one for operators."""

    port: int
    admin_port: int
    process: psutil.Process
    log: Iterable[str]


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Run a server that may have few files open."""
    command = [sys.executable, "-c", PROGRAM, "--generation", str(folder), "--port", "0"]
    command += ["--admin-port", "0", "--featurizer", "none", "--handshake-timeout-s", "1"]
    command += ["--security.authentication", "off"]
    found: dict[str, int] = {}
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if match := re.search(r"(operators|serving) .* on 127\.0\.0\.1:(\d+)", line):
                found[match[1]] = int(match[2])
            if len(found) == 2:
                break
        try:
            watched = psutil.Process(process.pid)
            yield Server(found["serving"], found["operators"], watched, process.stderr)
        finally:
            process.kill()


def sit_idle(stack: ExitStack, port: int) -> None:
    """Open connections and say nothing."""
    for _ in range(IDLE):
        stack.enter_context(socket.create_connection(("127.0.0.1", port)))


def ask(port: int) -> str:
    """Call over a connection of its own, trying for as long as callers do."""
    options = [("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 200)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        request = embedding_pb2.EmbedItemRequest(item_id="podcast-01")
        stub = EmbeddingServiceStub(channel)
        answer = stub.EmbedItem(request, timeout=15, wait_for_ready=True)
    return answer.embedding.item_id


def test_idle_connections_lock_nobody_out_and_no_worker_either(folder: Path) -> None:
    with ExitStack() as stack, serving(folder) as server:
        (worker,) = server.process.children()
        assert {each.rlimit(psutil.RLIMIT_NOFILE) for each in (server.process, worker)} == {
            (LIMIT, LIMIT)
        }
        sit_idle(stack, server.port)
        assert worker.num_fds() < LIMIT
        assert ask(server.port) == "podcast-01"
        sit_idle(stack, server.admin_port)
        assert server.process.num_fds() < LIMIT
        worker.kill()
        assert any("worker 0 answers again" in line for line in server.log)
        assert ask(server.port) == "podcast-01"


@pytest.fixture
def limits() -> Iterator[Limits]:
    """Give this process's own limits back."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_soft_limit_is_raised_to_the_hard_one(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limits[1] // 2, limits[1]))
    raise_descriptor_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (limits[1], limits[1])


def test_connections_leave_descriptors_for_the_rest(limits: Limits) -> None:
    for soft, most in ((1024, 1024 - RESERVED), (200, 100)):
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
        assert most_connections() == most


def test_idle_connections_stay_where_that_is_asked_for() -> None:
    names = dict(connection_options(make_settings(connection_idle_s=0.0)))
    assert "grpc.max_connection_idle_ms" not in names
    names = dict(connection_options(make_settings(connection_idle_s=2.5)))
    assert names["grpc.max_connection_idle_ms"] == 2500
