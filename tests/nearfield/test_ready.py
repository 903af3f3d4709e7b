import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import nearfield
from nearfield import Connection, Retry, Status
from nearfield.errors import error_of
from nearfield.health import until_serving
from nearfield.steps import Budget
from nearfield.testing import FakeServer, Method
from tests.nearfield.conftest import QUICK, Connect

ENDS_SOON_S = 10.0


def free_port() -> int:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port: int = nobody.getsockname()[1]
        return port


@pytest.fixture(params=[1, 2], ids=["one connection", "two connections"])
def connections(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


def test_server_that_serves_is_ready(client: nearfield.Client) -> None:
    client.wait_until_ready(ENDS_SOON_S)


def test_server_that_is_not_there_yet_is_waited_for(connect: Connect, connections: int) -> None:
    port = free_port()
    client = connect(f"127.0.0.1:{port}", connection=Connection(connections=connections))
    servers: list[FakeServer] = []
    starting = threading.Timer(0.5, lambda: servers.append(FakeServer(port=port)))
    starting.start()
    try:
        client.wait_until_ready(ENDS_SOON_S)

        assert len(servers) == 1
        assert client.embed_item("book-1").item_id == "book-1"
    finally:
        starting.join()
        for server in servers:
            server.stop()


def test_server_that_does_not_serve_yet_is_waited_for(server: FakeServer, connect: Connect) -> None:
    server.serving = False
    client = connect()

    def serve() -> None:
        server.serving = True

    starting = threading.Timer(0.4, serve)
    starting.start()
    client.wait_until_ready(ENDS_SOON_S)

    assert server.serving
    starting.join()


def test_server_that_never_serves_is_told_with_what_it_says(
    server: FakeServer, connect: Connect
) -> None:
    server.serving = False

    with pytest.raises(nearfield.DeadlineExceededError, match="it says NOT_SERVING") as caught:
        connect().wait_until_ready(0.3, request_id="mine")

    assert caught.value.request_id == "mine"


def test_server_that_never_comes_is_told(connect: Connect) -> None:
    with pytest.raises(nearfield.DeadlineExceededError, match=r"UNAVAILABLE.*Connection refused"):
        connect(f"127.0.0.1:{free_port()}").wait_until_ready(0.5)


def test_server_without_a_health_service_is_not_waited_for(connect: Connect) -> None:
    bare = grpc.server(ThreadPoolExecutor(1))
    port = bare.add_insecure_port("127.0.0.1:0")
    bare.start()
    try:
        with pytest.raises(nearfield.UnimplementedError):
            connect(f"127.0.0.1:{port}").wait_until_ready(ENDS_SOON_S)
    finally:
        bare.stop(None).wait()


def test_calls_wait_for_a_server_where_they_are_told_to(connect: Connect, connections: int) -> None:
    port = free_port()
    client = connect(
        f"127.0.0.1:{port}",
        retry=Retry(attempts=2, first_backoff_s=0.01, longest_backoff_s=0.05),
        connection=Connection(wait_for_ready=True, connections=connections),
    )
    servers: list[FakeServer] = []
    starting = threading.Timer(0.5, lambda: servers.append(FakeServer(port=port)))
    starting.start()
    try:
        assert client.embed_item("book-1", timeout_s=ENDS_SOON_S).item_id == "book-1"
    finally:
        starting.join()
        for server in servers:
            server.stop()


def test_waiting_calls_end_with_their_timeout(connect: Connect, connections: int) -> None:
    connection = Connection(wait_for_ready=True, connections=connections)
    client = connect(f"127.0.0.1:{free_port()}", retry=QUICK, connection=connection)
    start = time.monotonic()

    with pytest.raises(nearfield.UnavailableError, match="Connection refused") as caught:
        client.embed_item("book-1", timeout_s=0.4)

    assert caught.value.unsent
    assert 0.35 < time.monotonic() - start < ENDS_SOON_S


def test_waiting_calls_still_hear_of_errors_at_once(
    server: FakeServer, connect: Connect, connections: int
) -> None:
    connection = Connection(wait_for_ready=True, connections=connections)

    with pytest.raises(nearfield.NotFoundError):
        connect(connection=connection).embed_item("nothing", timeout_s=ENDS_SOON_S)

    assert len(server.calls(Method.EMBED_ITEM)) == 1


def test_check_that_the_end_cuts_short_does_not_hide_what_came_before() -> None:
    steps = until_serving(Budget.whole("", 0.2))
    next(steps)
    steps.throw(error_of(Status(grpc.StatusCode.UNAVAILABLE, "Connection refused")))
    next(steps)
    steps.throw(error_of(Status(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded")))
    time.sleep(0.2)

    with pytest.raises(nearfield.DeadlineExceededError, match="Connection refused"):
        next(steps)
