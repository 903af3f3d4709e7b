"""Servers in processes of their own, one of which dies under a stream of calls."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

import nearfield
from nearfield import Client, Connection, Retry
from nearfield.testing import FakeServer, Method, status_of
from tests.nearfield.conftest import ROOT, Connect
from tests.server.test_main import serving
from tests.support.generation import write_tiny_generation

ENDS_SOON_S = 20.0
CALLERS = 4


@dataclass
class Running:
    """A server in a process of its own; its generation is its name."""

    name: str
    process: subprocess.Popen[str]
    port: int


Serve = Callable[..., Running]


@contextmanager
def running(name: str, port: int, *more: str) -> Iterator[Running]:
    command = [sys.executable, "-m", "tests.nearfield.serve_fake", name, str(port), *more]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Running(name, process, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def serve(name: str, port: int = 0) -> Running:
            return stack.enter_context(running(name, port))

        yield serve


def answered_by(client: Client, calls: int) -> Counter[str]:
    return Counter(client.embed_item("book-1").generation for _ in range(calls))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_server_that_dies_is_not_noticed_by_callers(
    serve: Serve, connect: Connect, host: str
) -> None:
    one, other = serve("one"), serve("other")
    client = connect(f"{host}:{one.port},{host}:{other.port}")
    assert answered_by(client, 40) == {"one": 20, "other": 20}

    for number in range(200):
        if number == 50:
            one.process.kill()
        assert client.embed_item("book-1").item_id == "book-1"

    assert answered_by(client, 20) == {"other": 20}
    serve("one again", one.port)
    until = time.monotonic() + ENDS_SOON_S
    while not answered_by(client, 4)["one again"]:
        assert time.monotonic() < until, "the server that came back is not called"


def test_server_of_a_list_that_grpc_keeps_dies_unnoticed_too(
    serve: Serve, connect: Connect
) -> None:
    """One channel to several addresses, as for a name that stands for several servers."""
    one, other = serve("one"), serve("other")
    client = connect(
        f"ipv4:127.0.0.1:{one.port},127.0.0.1:{other.port}",
        connection=Connection(health_checked=True),
    )
    until = time.monotonic() + ENDS_SOON_S
    while answered_by(client, 10).keys() != {"one", "other"}:
        assert time.monotonic() < until, "one of two is never called"

    one.process.kill()

    assert answered_by(client, 100)["other"] >= 90
    assert answered_by(client, 20) == {"other": 20}


def test_server_that_dies_under_many_callers_is_not_noticed(serve: Serve) -> None:
    one, other = serve("one"), serve("other")
    targets = [f"127.0.0.1:{each.port}" for each in (one, other)]
    dead = threading.Event()

    def call_on(client: Client) -> Counter[str]:
        found: Counter[str] = Counter()
        while found["after"] < 100:
            found["after" if dead.is_set() else "before"] += 1
            found[client.embed_item("book-1").generation] += 1
        return found

    with Client(targets) as client, futures.ThreadPoolExecutor(CALLERS) as pool:
        running = [pool.submit(call_on, client) for _ in range(CALLERS)]
        time.sleep(0.5)
        one.process.kill()
        dead.set()
        found = sum((each.result(ENDS_SOON_S) for each in running), Counter[str]())

    assert min(found["one"], found["other"], found["before"]) > 0
    assert found["after"] == 100 * CALLERS


def test_server_that_is_about_to_leave_is_left(connect: Connect) -> None:
    with FakeServer() as one, FakeServer() as other:
        client = connect([one.target, other.target])
        answered_by(client, 10)
        one.serving = False
        until = time.monotonic() + ENDS_SOON_S
        seen = -1
        while seen != (seen := len(one.calls(Method.EMBED_ITEM))):
            assert time.monotonic() < until
            answered_by(client, 10)

        answered_by(client, 10)

        assert len(one.calls(Method.EMBED_ITEM)) == seen
        assert len(other.calls(Method.EMBED_ITEM)) >= 20


def test_refused_calls_go_on_to_another_server_at_once(connect: Connect) -> None:
    slow = Retry(first_backoff_s=30.0, longest_backoff_s=30.0)
    with FakeServer() as one, FakeServer() as other:
        for method in (Method.EMBED_ITEM, Method.BATCH_EMBED_ITEMS):
            one.fail(method, status_of(nearfield.Reason.SHUTTING_DOWN), times=100)
        client = connect([one.target, other.target], retry=slow)

        assert [client.embed_item("book-1").item_id for _ in range(3)] == ["book-1"] * 3
        assert len(client.embed_items(["book-1", "book-2"]).results()) == 2


def test_server_that_hangs_is_passed_over_after_one_call(connect: Connect) -> None:
    with FakeServer() as one, FakeServer() as other:
        client = connect([one.target, other.target])
        answered_by(client, 4)
        one.delay(Method.EMBED_ITEM, 30.0)

        late = 0
        for _ in range(20):
            try:
                client.embed_item("book-1", timeout_s=0.5)
            except nearfield.DeadlineExceededError:
                late += 1

        assert (
            1 <= late <= 3
        )  # one, and one for each second that the rest takes; in turn it were 10


def test_missing_featurizer_is_no_reason_to_go_on(connect: Connect) -> None:
    away = status_of(nearfield.Reason.FEATURIZER_UNAVAILABLE)
    with FakeServer() as one, FakeServer() as other:
        for server in (one, other):
            server.fail(Method.EMBED_ITEM, away)
        client = connect([one.target, other.target])

        with pytest.raises(nearfield.UnavailableError, match="FEATURIZER_UNAVAILABLE"):
            client.embed_item(nearfield.NewItem("book", title="Out today"))

        assert len(one.calls(Method.EMBED_ITEM)) + len(other.calls(Method.EMBED_ITEM)) == 1


def test_where_all_are_away_the_tries_end(connect: Connect) -> None:
    with FakeServer() as one, FakeServer() as other:
        pass

    with pytest.raises(nearfield.UnavailableError):
        connect([one.target, other.target]).embed_item("book-1")


def test_no_retry_does_not_go_on(connect: Connect) -> None:
    with FakeServer() as one, FakeServer() as other:
        for server in (one, other):
            server.fail(Method.EMBED_ITEM, status_of(nearfield.Reason.SHUTTING_DOWN))
        client = connect([one.target, other.target], retry=nearfield.NO_RETRY)

        with pytest.raises(nearfield.UnavailableError):
            client.embed_item("book-1")

        assert len(one.calls(Method.EMBED_ITEM)) + len(other.calls(Method.EMBED_ITEM)) == 1


def test_connections_are_several_and_all_are_used(server: FakeServer, connect: Connect) -> None:
    answered_by(connect(connection=Connection(connections=3)), 30)

    peers = Counter(call.peer for call in server.calls(Method.EMBED_ITEM))
    assert sorted(peers.values()) == [10, 10, 10]


def test_workers_on_one_port_are_all_reached_and_one_that_dies_is_not_noticed() -> None:
    """Two processes share a port, as a server's workers do; the kernel deals out connections."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as holder, ExitStack() as stack:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        workers = []
        for name in ("one", "other"):
            command = [
                sys.executable,
                "-m",
                "tests.nearfield.serve_fake",
                name,
                str(port),
                "shared",
            ]
            process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert int(process.stdout.readline()) == port
            workers.append(process)
        # That 16 connections all go to the same of two is one case in 32,768.
        with Client(f"127.0.0.1:{port}", connection=Connection(connections=16)) as client:
            assert answered_by(client, 64).keys() == {"one", "other"}
            workers[0].kill()
            assert answered_by(client, 200)["other"] > 0
            assert answered_by(client, 64) == {"other": 64}


def test_real_server_that_drains_is_not_noticed(tmp_path: Path) -> None:
    folder = write_tiny_generation(tmp_path)
    with (
        serving(folder, "--featurizer", "none") as (leaving, port),
        serving(folder, "--featurizer", "none") as (_, other),
        Client([f"127.0.0.1:{each}" for each in (port, other)]) as client,
    ):
        client.wait_until_ready(ENDS_SOON_S)
        for number in range(300):
            if number == 100:
                leaving.send_signal(signal.SIGTERM)
            assert client.embed_item("podcast-01").item_id == "podcast-01"
        assert leaving.wait(ENDS_SOON_S) == 0
        assert client.embed_item("podcast-01").item_id == "podcast-01"


def test_worker_of_a_real_server_that_dies_is_not_noticed(tmp_path: Path) -> None:
    folder = write_tiny_generation(tmp_path)
    with (
        serving(folder, "--featurizer", "none", "--workers", "2") as (server, port),
        Client(f"127.0.0.1:{port}", connection=Connection(connections=8)) as client,
    ):
        client.wait_until_ready(ENDS_SOON_S)
        for number in range(300):
            if number == 100:
                psutil.Process(server.pid).children()[0].kill()
            assert client.embed_item("podcast-01").item_id == "podcast-01"
