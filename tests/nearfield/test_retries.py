import time

import grpc
import pytest

import nearfield
from nearfield import NO_RETRY, Reason, Retry, Status
from nearfield.errors import CLASS_OF_CODE, DOMAIN
from nearfield.testing import FakeServer, Method
from tests.nearfield.conftest import QUICK, Connect
from tests.nearfield.test_ready import free_port

TRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
AWAY = Status(grpc.StatusCode.UNAVAILABLE, "away")


def full(retry_delay_s: float | None) -> Status:
    return Status(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "full",
        Reason.OVERLOADED,
        DOMAIN,
        retry_delay_s=retry_delay_s,
    )


def test_unavailable_server_is_tried_again(server: FakeServer, connect: Connect) -> None:
    server.fail(Method.RECOMMEND, AWAY, times=4)

    found = connect().recommend("user-1", k=1)

    assert len(found.hits) == 1
    assert len(server.calls(Method.RECOMMEND)) == 5


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_tries_end_after_as_many_as_were_allowed(
    server: FakeServer, connect: Connect, attempts: int
) -> None:
    server.fail(Method.RECOMMEND, AWAY, times=100)

    with pytest.raises(nearfield.UnavailableError, match="away"):
        connect(retry=Retry(attempts, first_backoff_s=0.01)).recommend("user-1")

    assert len(server.calls(Method.RECOMMEND)) == attempts


def test_no_retry_tries_once(server: FakeServer, connect: Connect) -> None:
    client = connect(retry=NO_RETRY)
    for status in (AWAY, full(0.01)):
        server.fail(Method.RECOMMEND, status)
        with pytest.raises(nearfield.StatusError):
            client.recommend("user-1")

    assert len(server.calls(Method.RECOMMEND)) == 2


@pytest.mark.parametrize("code", [code for code in CLASS_OF_CODE if code not in TRIED])
def test_what_may_have_been_done_is_not_tried_again(
    server: FakeServer, connect: Connect, code: grpc.StatusCode
) -> None:
    server.fail(Method.RECOMMEND, Status(code, "no"))

    with pytest.raises(CLASS_OF_CODE[code]):
        connect().recommend("user-1")

    assert len(server.calls(Method.RECOMMEND)) == 1


def test_missing_featurizer_is_heard_of_at_once(server: FakeServer, connect: Connect) -> None:
    away = Status(
        grpc.StatusCode.UNAVAILABLE,
        "no featurizer",
        Reason.FEATURIZER_UNAVAILABLE,
        DOMAIN,
        retry_delay_s=5.0,
    )
    server.fail(Method.EMBED_ITEM, away, times=100)

    with pytest.raises(nearfield.UnavailableError, match="no featurizer") as caught:
        connect().embed_item(nearfield.NewItem("book", title="Out today"))

    assert caught.value.retry_delay_s == 5.0
    assert len(server.calls(Method.EMBED_ITEM)) == 1


def test_parts_of_a_batch_are_tried_again(server: FakeServer, connect: Connect) -> None:
    server.fail(Method.BATCH_EMBED_ITEMS, AWAY, times=2)
    server.fail(Method.GET_SERVER_INFO, AWAY, times=2)

    batch = connect().embed_items(["book-1"])

    assert len(batch.results()) == 1
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 3


def test_full_server_is_taken_at_its_word(server: FakeServer, connect: Connect) -> None:
    server.fail(Method.RECOMMEND, full(0.2))
    start = time.monotonic()

    connect().recommend("user-1")

    assert 0.2 <= time.monotonic() - start < 2.0
    assert len(server.calls(Method.RECOMMEND)) == 2


def test_full_server_is_waited_for_no_more_often_than_allowed(
    server: FakeServer, connect: Connect
) -> None:
    server.fail(Method.RECOMMEND, full(0.01), times=100)

    with pytest.raises(nearfield.ResourceExhaustedError) as caught:
        connect(retry=Retry(told_waits=3)).recommend("user-1")

    assert caught.value.reason == Reason.OVERLOADED
    assert len(server.calls(Method.RECOMMEND)) == 4


def test_full_server_that_names_no_wait_is_not_tried_again(
    server: FakeServer, connect: Connect
) -> None:
    server.fail(Method.RECOMMEND, full(None))

    with pytest.raises(nearfield.ResourceExhaustedError) as caught:
        connect().recommend("user-1")

    assert caught.value.retry_delay_s is None
    assert len(server.calls(Method.RECOMMEND)) == 1


def test_long_wait_is_left_to_the_caller(server: FakeServer, connect: Connect) -> None:
    server.fail(Method.RECOMMEND, full(30.0))
    start = time.monotonic()

    with pytest.raises(nearfield.ResourceExhaustedError) as caught:
        connect().recommend("user-1")

    assert caught.value.retry_delay_s == 30.0
    assert time.monotonic() - start < 5.0


def test_wait_beyond_the_timeout_is_left_to_the_caller(
    server: FakeServer, connect: Connect
) -> None:
    server.fail(Method.RECOMMEND, full(1.5))

    with pytest.raises(nearfield.ResourceExhaustedError):
        connect().recommend("user-1", timeout_s=1.0)

    assert len(server.calls(Method.RECOMMEND)) == 1


def test_client_survives_a_restart_of_the_server(server: FakeServer, connect: Connect) -> None:
    with FakeServer() as first:
        client = connect(first.target, retry=Retry(first_backoff_s=0.3))
        client.recommend("user-1")
    with FakeServer(port=first.port):
        assert client.recommend("user-1", k=1).hits


def test_nobody_listening_is_unavailable(server: FakeServer, connect: Connect) -> None:
    with FakeServer() as gone:
        pass

    with pytest.raises(nearfield.UnavailableError) as caught:
        connect(gone.target, retry=QUICK).recommend("user-1", request_id="lost")

    assert (caught.value.request_id, caught.value.reason) == ("lost", "")
    assert caught.value.unsent


def test_refused_connection_is_told_as_refused_where_the_time_ends_in_a_pause(
    connect: Connect,
) -> None:
    slow = Retry(first_backoff_s=20.0, longest_backoff_s=20.0)
    client = connect(f"127.0.0.1:{free_port()}", retry=slow)

    with pytest.raises(nearfield.UnavailableError, match="Connection refused"):
        client.embed_item("book-1", timeout_s=0.3)


def test_name_that_stands_for_nothing_is_told_as_that(connect: Connect) -> None:
    with pytest.raises(nearfield.UnavailableError, match=r"no-such-host\.invalid") as caught:
        connect("no-such-host.invalid:1", retry=NO_RETRY).embed_item("book-1")

    assert caught.value.unsent
