"""A server that always refuses gets about as many tries as there are calls."""

import grpc
import pytest
from google.protobuf.message import Message

import nearfield
from nearfield import NO_RETRY, Client, Connection, Reason, Retry, Status
from nearfield.errors import error_of
from nearfield.testing import FakeServer, Method, status_of
from tests.nearfield.conftest import Connect

CALLS = 60
TOKENS = 20
EACH_TRY = 0.01
UNSEEN = Status(grpc.StatusCode.CANCELLED, "CANCELLED")
AWAY = Status(grpc.StatusCode.UNAVAILABLE, "away")


def refusing(server: FakeServer, status: Status) -> None:
    def refuse(request: Message) -> Message:
        raise error_of(status)

    server.answer_with(Method.EMBED_ITEM, refuse)


def call_in_vain(client: Client, error: type[nearfield.StatusError]) -> None:
    for _ in range(CALLS):
        with pytest.raises(error):
            client.embed_item("book-1")


@pytest.mark.parametrize("connections", [1, 2], ids=["one connection", "two"])
def test_tries_of_a_server_that_is_away_stay_within_the_budget(
    server: FakeServer, connect: Connect, connections: int
) -> None:
    refusing(server, AWAY)
    client = connect(
        retry=Retry(first_backoff_s=EACH_TRY, longest_backoff_s=EACH_TRY, tokens=TOKENS),
        connection=Connection(connections=connections),
    )

    call_in_vain(client, nearfield.UnavailableError)

    tries = len(server.calls(Method.EMBED_ITEM))
    # The client's going on to a second connection is free until that one is known to be away.
    assert CALLS < tries <= CALLS + TOKENS // 2 + (connections - 1)


def test_call_that_was_turned_away_unseen_is_tried_again_within_the_budget(
    server: FakeServer, connect: Connect
) -> None:
    server.fail(Method.EMBED_ITEM, UNSEEN, times=2)
    connect().embed_item("book-1")
    assert len(server.calls(Method.EMBED_ITEM)) == 3
    refusing(server, UNSEEN)
    with pytest.raises(nearfield.CallCancelledError):
        connect(retry=NO_RETRY).embed_item("book-1")
    assert len(server.calls(Method.EMBED_ITEM)) == 4


def test_told_waits_of_a_full_server_stay_within_the_budget(
    server: FakeServer, connect: Connect
) -> None:
    refusing(server, status_of(Reason.OVERLOADED, retry_delay_s=EACH_TRY))

    call_in_vain(
        connect(retry=Retry(tokens=TOKENS, told_waits=4)), nearfield.ResourceExhaustedError
    )

    tries = len(server.calls(Method.EMBED_ITEM))
    assert CALLS < tries <= CALLS + TOKENS // 2


def test_without_a_budget_worth_the_name_nothing_is_tried_again(
    server: FakeServer, connect: Connect
) -> None:
    refusing(server, status_of(Reason.OVERLOADED, retry_delay_s=EACH_TRY))

    call_in_vain(connect(retry=Retry(tokens=1)), nearfield.ResourceExhaustedError)

    assert len(server.calls(Method.EMBED_ITEM)) == CALLS


def test_purse_is_filled_again_by_answers(server: FakeServer, connect: Connect) -> None:
    full = status_of(Reason.OVERLOADED, retry_delay_s=EACH_TRY)
    client = connect(retry=Retry(tokens=4, tokens_per_success=1.0, told_waits=4))
    refusing(server, full)
    call_in_vain(client, nearfield.ResourceExhaustedError)
    server.mend()

    for _ in range(4):
        client.embed_item("book-1")
    server.fail(Method.EMBED_ITEM, full)

    assert client.embed_item("book-1").item_id == "book-1"
