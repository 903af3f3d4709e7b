"""Calls that change something: sent again only where they were certainly not done.

The contract's own calls of a client all read, so some of them are taken for writes here.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.empty_pb2 import Empty

import nearfield
from nearfield import AsyncClient, Client, Reason, Status, kinds, operations
from nearfield.asking import ask
from nearfield.errors import DOMAIN, error_of
from nearfield.options import Options
from nearfield.retries import Retries
from nearfield.rota import Rota
from nearfield.rpcs import EMBED_ITEM, Rpc
from nearfield.steps import Budget, Pause
from nearfield.testing import FakeServer, Method, status_of
from tests.nearfield.conftest import QUICK, Connect
from tests.nearfield.test_closing import ENDS_SOON_S, wait_until_called
from tests.nearfield.test_ready import free_port

LEVELS = {
    "Read": MethodOptions.NO_SIDE_EFFECTS,
    "Put": MethodOptions.IDEMPOTENT,
    "Unknown": MethodOptions.IDEMPOTENCY_UNKNOWN,
    "Append": None,
}
AWAY = Status(grpc.StatusCode.UNAVAILABLE, "away")
TURNED_AWAY = Status(grpc.StatusCode.CANCELLED, "CANCELLED")
LOST = (AWAY, TURNED_AWAY, status_of(Reason.SHUTTING_DOWN))
REFUSED = status_of(Reason.OVERLOADED, retry_delay_s=0.01)
UNSENT = replace(AWAY, unsent=True)

Ask = Callable[[Client], object]
ASKS: dict[str, tuple[Method, Ask]] = {
    "call": (Method.EMBED_ITEM, lambda client: client.embed_item("book-1")),
    "batch": (
        Method.BATCH_EMBED_ITEMS,
        lambda client: client.embed_items(["book-1", "book-2"]).results(),
    ),
}


def method_of(name: str) -> Rpc[Empty]:
    """Read a method of a contract that is made up here."""
    file = FileDescriptorProto(name="made_up.proto", package="made.up", syntax="proto3")
    file.dependency.append(Empty.DESCRIPTOR.file.name)
    service = file.service.add(name="Events")
    empty = f".{Empty.DESCRIPTOR.full_name}"
    for each, level in LEVELS.items():
        method = service.method.add(name=each, input_type=empty, output_type=empty)
        if level is not None:
            method.options.idempotency_level = level
    pool = DescriptorPool()
    pool.AddSerializedFile(Empty.DESCRIPTOR.file.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return Rpc.of(pool.FindMethodByName(f"made.up.Events.{name}"), Empty)


def tries_of(rpc: Rpc[Empty], status: Status) -> int:
    """Let each try of a call meet `status`, and count them."""
    options = Options(retry=QUICK)
    steps = ask(rpc, Empty(), Retries.of(options, Rota(1)), Budget.whole("", 10.0))
    next(steps)
    for tries in count(1):
        try:
            step = steps.throw(error_of(status))
        except nearfield.StatusError:
            return tries
        if isinstance(step, Pause):
            next(steps)
    raise AssertionError("it is tried for ever")


@pytest.fixture(autouse=True)
def writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take what embeds items for writes."""
    call = replace(EMBED_ITEM, repeatable=False)
    batch = replace(kinds.ITEMS, rpc=replace(kinds.ITEMS.rpc, repeatable=False))
    monkeypatch.setattr(operations, "EMBED_ITEM", call)
    monkeypatch.setattr(kinds, "ITEMS", batch)


@pytest.fixture(params=list(ASKS))
def asked(request: pytest.FixtureRequest) -> tuple[Method, Ask]:
    return ASKS[request.param]


def test_methods_that_may_be_done_twice_are_told_by_the_contract() -> None:
    found = {name: method_of(name).repeatable for name in LEVELS}

    assert found == {"Read": True, "Put": True, "Unknown": False, "Append": False}
    assert method_of("Append").path == "/made.up.Events/Append"


@pytest.mark.parametrize("status", LOST, ids=lambda status: status.code.name + status.reason)
def test_what_may_have_been_done_is_sent_again_only_if_it_may_be_done_twice(
    status: Status,
) -> None:
    tries = {name: tries_of(method_of(name), status) for name in LEVELS}

    assert tries["Append"] == tries["Unknown"] == 1
    assert tries["Read"] == tries["Put"] > 1


@pytest.mark.parametrize("status", [REFUSED, UNSENT], ids=["refused", "unsent"])
def test_what_was_certainly_not_done_is_sent_again(status: Status) -> None:
    assert tries_of(method_of("Append"), status) == tries_of(method_of("Read"), status) > 1


@pytest.mark.parametrize("status", LOST, ids=lambda status: status.code.name + status.reason)
def test_write_that_reached_the_server_is_raised_at_once(
    server: FakeServer, connect: Connect, asked: tuple[Method, Ask], status: Status
) -> None:
    method, call = asked
    server.fail(method, status, times=10)

    with pytest.raises(nearfield.StatusError) as caught:
        call(connect())

    assert (caught.value.code, caught.value.unsent) == (status.code, False)
    assert len(server.calls(method)) == 1


def test_write_that_was_refused_is_sent_again(
    server: FakeServer, connect: Connect, asked: tuple[Method, Ask]
) -> None:
    method, call = asked
    server.fail(method, REFUSED, times=2)

    call(connect())

    assert len(server.calls(method)) == 3


def test_write_that_found_no_connection_goes_on_to_another_server(
    server: FakeServer, connect: Connect, asked: tuple[Method, Ask]
) -> None:
    method, call = asked
    client = connect([f"127.0.0.1:{free_port()}", server.target])

    for _ in range(4):
        call(client)

    assert len(server.calls(method)) == 4


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_write_of_a_stream_that_reached_the_server_is_its_elements_outcome(
    server: FakeServer, kind: type[Client | AsyncClient]
) -> None:
    server.fail(Method.BATCH_EMBED_ITEMS, AWAY)
    if kind is Client:
        with Client(server.target, retry=QUICK) as client:
            found = list(client.embed_items_stream(["book-1", "book-2"], chunk=1, in_flight=1))
    else:
        async with AsyncClient(server.target, retry=QUICK) as awaiting:
            stream = awaiting.embed_items_stream(["book-1", "book-2"], chunk=1, in_flight=1)
            found = [each async for each in stream]

    outcomes = [type(outcome) for _, outcome in found]
    assert outcomes == [nearfield.UnavailableError, nearfield.ItemEmbedding]
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 2


def test_batch_of_writes_whose_answer_is_too_long_is_not_done_again_in_halves(
    server: FakeServer, connect: Connect
) -> None:
    too_long = Status(
        grpc.StatusCode.RESOURCE_EXHAUSTED, "too long", Reason.RESPONSE_TOO_LARGE, DOMAIN
    )
    server.fail(Method.BATCH_EMBED_ITEMS, too_long)

    batch = connect().embed_items(["book-1", "book-2"])

    assert {type(each) for each in batch} == {nearfield.ResourceExhaustedError}
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 1


def test_write_under_way_in_a_server_that_stops_is_not_sent_again(connect: Connect) -> None:
    """The other server is there, and must not hear of it."""
    with FakeServer() as one, FakeServer() as other, ThreadPoolExecutor(1) as pool:
        one.delay(Method.EMBED_ITEM, 30.0)
        client = connect([one.target, other.target])
        waiting = pool.submit(client.embed_item, "book-1")
        wait_until_called(one, Method.EMBED_ITEM)
        one.stop()

        error = waiting.exception(timeout=ENDS_SOON_S)

        assert isinstance(error, nearfield.UnavailableError | nearfield.CallCancelledError)
        assert not error.unsent
        assert other.calls(Method.EMBED_ITEM) == ()
