import socket
import time

import grpc
import pytest

import nearfield
from nearfield import Client, Connection, Reason, Status, Timeouts
from nearfield.testing import FakeServer, Method, status_of
from tests.nearfield.conftest import Connect

ENDS_SOON_S = 5.0


def test_call_without_a_timeout_has_the_clients(server: FakeServer, connect: Connect) -> None:
    client = connect(timeouts=Timeouts(call_s=7.0, chunk_s=17.0, info_s=3.0))

    client.embed_item("book-1")
    client.embed_items(["book-1"])

    for method, expected in (
        (Method.EMBED_ITEM, 7.0),
        (Method.BATCH_EMBED_ITEMS, 17.0),
        (Method.GET_SERVER_INFO, 3.0),
    ):
        (call,) = server.calls(method)
        assert call.timeout_s == pytest.approx(expected, abs=1.0)


def test_timeout_of_the_call_is_stronger_than_the_clients(
    server: FakeServer, connect: Connect
) -> None:
    client = connect(timeouts=Timeouts(call_s=7.0))

    client.recommend("user-1", timeout_s=2.0)

    (call,) = server.calls(Method.RECOMMEND)
    assert call.timeout_s == pytest.approx(2.0, abs=1.0)


def test_late_answer_is_a_deadline_error(server: FakeServer, connect: Connect) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    client = connect(timeouts=Timeouts(call_s=0.2))
    start = time.monotonic()

    with pytest.raises(nearfield.DeadlineExceededError) as caught:
        client.embed_item("book-1", request_id="late")

    assert 0.15 < time.monotonic() - start < ENDS_SOON_S
    assert caught.value.request_id == "late"


def test_late_answer_is_not_tried_again(server: FakeServer, connect: Connect) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)

    with pytest.raises(nearfield.DeadlineExceededError):
        connect().embed_item("book-1", timeout_s=0.2)

    assert len(server.calls(Method.EMBED_ITEM)) == 1


def test_server_learns_that_the_caller_left(server: FakeServer, connect: Connect) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)

    with pytest.raises(nearfield.DeadlineExceededError):
        connect().embed_item("book-1", timeout_s=0.2)

    until = time.monotonic() + ENDS_SOON_S
    while not server.left(Method.EMBED_ITEM) and time.monotonic() < until:
        time.sleep(0.01)
    assert server.left(Method.EMBED_ITEM) == 1


def test_retries_do_not_outlast_the_timeout(server: FakeServer, connect: Connect) -> None:
    away = Status(grpc.StatusCode.UNAVAILABLE, "away")
    server.fail(Method.EMBED_ITEM, away, times=100)
    slow = nearfield.Retry(first_backoff_s=20.0, longest_backoff_s=20.0)
    start = time.monotonic()

    with pytest.raises(nearfield.StatusError):
        connect(retry=slow).embed_item("book-1", timeout_s=0.3)

    assert time.monotonic() - start < ENDS_SOON_S


def test_going_on_to_another_connection_does_not_outlast_the_timeout(
    server: FakeServer, connect: Connect
) -> None:
    server.fail(Method.EMBED_ITEM, Status(grpc.StatusCode.UNAVAILABLE, "away"), times=100)
    slow = nearfield.Retry(first_backoff_s=20.0, longest_backoff_s=20.0)
    client = connect(retry=slow, connection=Connection(connections=2))
    start = time.monotonic()

    with pytest.raises(nearfield.UnavailableError):
        client.embed_item("book-1", timeout_s=0.3)

    assert time.monotonic() - start < ENDS_SOON_S


def test_later_tries_have_what_is_left_of_the_time(server: FakeServer, connect: Connect) -> None:
    server.delay(Method.EMBED_ITEM, 0.2)
    server.fail(Method.EMBED_ITEM, status_of(Reason.OVERLOADED, retry_delay_s=0.2), times=2)

    connect().embed_item("book-1", timeout_s=4.0)

    given = [call.timeout_s or 0.0 for call in server.calls(Method.EMBED_ITEM)]
    assert len(given) == 3
    assert given[0] <= 4.1  # the server's clock is read at another moment than the client's
    assert given[1] <= 3.7
    assert given[2] <= 3.3


def test_hanging_server_is_not_ready_within_the_timeout(
    server: FakeServer, connect: Connect
) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        client = connect(f"127.0.0.1:{deaf.getsockname()[1]}")
        start = time.monotonic()

        with pytest.raises(nearfield.DeadlineExceededError, match="not ready"):
            client.wait_until_ready(0.5)

    assert time.monotonic() - start < ENDS_SOON_S


def test_timeout_of_a_stream_bounds_each_message(server: FakeServer) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 30.0)

    with Client(server.target) as client:
        found = list(client.embed_items_stream(["book-1", "book-2"], chunk=1, timeout_s=0.2))

    late = [type(outcome) for _, outcome in found]
    assert late == [nearfield.DeadlineExceededError] * 2


def test_timeout_of_a_batch_bounds_the_whole_and_keeps_what_came(
    server: FakeServer, connect: Connect
) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 0.4)
    start = time.monotonic()

    batch = connect().embed_items(["book-1"] * 256 * 20, timeout_s=1.0)

    assert time.monotonic() - start < ENDS_SOON_S
    assert 0 < len(batch.succeeded) <= 512
    assert set(batch.succeeded) == set(range(len(batch.succeeded)))
    late = set(map(type, batch.errors.values()))
    assert late == {nearfield.DeadlineExceededError}


def test_after_a_late_part_of_a_batch_the_rest_is_not_sent(
    server: FakeServer, connect: Connect
) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 30.0)
    client = connect(timeouts=Timeouts(chunk_s=0.2))

    batch = client.embed_items(["book-1"] * 256 * 3)

    assert len(batch.errors) == 256 * 3
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 1
