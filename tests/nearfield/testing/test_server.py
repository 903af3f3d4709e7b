import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import nearfield
from nearfield import (
    NO_RETRY,
    Client,
    Event,
    ItemFilter,
    NewItem,
    Reason,
    RecommendQuery,
    SpaceVector,
    Status,
    User,
)
from nearfield.errors import FieldViolation
from nearfield.testing import USUAL_LIMITS, FakeItem, FakeServer, FakeWorld, Method, status_of
from nearfield.v1 import embedding_pb2, errors_pb2
from server.statuses import TABLE

ROOT = Path(nearfield.__file__).parents[1]
SHOWN = "import nearfield.testing as t; print(t.FakeWorld().vector('book-1').tobytes().hex())"


def test_vectors_are_the_same_in_every_process() -> None:
    shown = {
        subprocess.run(
            [sys.executable, "-c", SHOWN],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert shown == {FakeWorld().vector("book-1").tobytes().hex()}


def test_vectors_have_unit_norm_and_differ() -> None:
    world = FakeWorld(dimensions=5)
    vectors = np.stack([world.vector(item.item_id) for item in world.items])

    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    assert len(np.unique(vectors, axis=0)) == len(world.items)
    assert not np.allclose(world.vector("a"), replace(world, space_id="other").vector("a"))


def test_answers_are_the_same_each_time(server: FakeServer) -> None:
    with FakeServer() as twin, Client(server.target) as one, Client(twin.target) as other:
        assert one.recommend("user-3").hits == one.recommend("user-3").hits
        assert one.recommend("user-3").hits == other.recommend("user-3").hits


def test_own_world_is_what_is_served() -> None:
    world = FakeWorld(
        items=[FakeItem("a", "song"), FakeItem("b", "song"), FakeItem("c", "tale")],
        histories={"ann": ["a"]},
        recommendations={"ann": ["c", "b"]},
    )
    with FakeServer(world) as server, Client(server.target) as client:
        assert [hit.item_id for hit in client.recommend("ann").hits] == ["c", "b"]
        songs = ItemFilter(item_types=["song"])
        assert [hit.item_id for hit in client.recommend("ann", items=songs).hits] == ["b"]
        assert client.server_info().generation.item_types == {"song": 2, "tale": 1}


def test_history_in_the_request_is_added_to_the_stored(server: FakeServer) -> None:
    with Client(server.target) as client:
        found = client.embed_user(User("user-1", history=[Event("book-9"), Event("nothing")]))

    assert found.history_events == 4
    assert found.warnings[0].values == ("nothing",)


def test_failures_come_as_often_as_they_were_ordered(server: FakeServer) -> None:
    status = Status(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "full",
        "OVERLOADED",
        "nearfield",
        {"limit": "64"},
        (FieldViolation("a", "b"),),
        retry_delay_s=7.25,
        request_id="r1",
    )
    server.fail(Method.RECOMMEND, status, times=2)

    with Client(server.target, retry=NO_RETRY) as client:
        for _ in range(2):
            with pytest.raises(nearfield.ResourceExhaustedError) as caught:
                client.recommend("user-1")
            assert caught.value.status == status
        assert client.recommend("user-1").hits


def test_mended_server_answers_as_it_did(server: FakeServer) -> None:
    status = Status(grpc.StatusCode.INTERNAL, "bug")
    server.fail(Method.EMBED_ITEM, status, times=9)
    server.fail_id("book-1", status)
    server.delay(Method.EMBED_ITEM, 30.0)
    server.answer_with(Method.EMBED_ITEM, lambda _: embedding_pb2.EmbedItemResponse())

    server.mend()

    with Client(server.target) as client:
        assert client.embed_item("book-1").item_id == "book-1"


def test_delay_holds_the_answer_back(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 0.3)
    start = time.monotonic()

    with Client(server.target) as client:
        client.embed_item("book-1")

    assert 0.3 <= time.monotonic() - start < 5.0
    assert server.left(Method.EMBED_ITEM) == 0


def test_stopped_server_leaves_its_port(server: FakeServer) -> None:
    with FakeServer() as first:
        port = first.port
    with FakeServer(port=port) as second:
        assert second.port == port


def test_what_the_contract_refuses_is_refused_by_field(server: FakeServer) -> None:
    server.limits = replace(USUAL_LIMITS, max_k=5, max_history_events=1, max_description_chars=3)
    long = [Event("book-1")] * 2
    with Client(server.target) as client:
        calls: dict[str, Callable[[], object]] = {
            "k": lambda: client.recommend("user-1", k=6),
            "filter.item_types": lambda: client.recommend(
                "user-1", k=1, items=ItemFilter(item_types=["game"])
            ),
            "item_id": lambda: client.embed_item(""),
            "user": lambda: client.embed_user(""),
            "user.history": lambda: client.embed_user(User(history=long)),
            "new_item": lambda: client.embed_item(NewItem("book")),
            "new_item.item_type": lambda: client.embed_item(NewItem("game", title="x")),
            "new_item.description": lambda: client.embed_item(NewItem("book", description="long")),
            "vector.data": lambda: client.similar_items(
                SpaceVector(np.ones(3, np.float32), "fake-space"), k=1
            ),
        }
        for field, call in calls.items():
            with pytest.raises(nearfield.InvalidArgumentError) as caught:
                call()
            assert [each.field for each in caught.value.violations] == [field]


def test_user_whom_nobody_knows_is_not_found_but_recommended_to(server: FakeServer) -> None:
    with Client(server.target) as client:
        with pytest.raises(nearfield.NotFoundError) as caught:
            client.embed_user("nobody")
        found = client.recommend("nobody", k=1)

    assert caught.value.metadata == {"user_id": "nobody"}
    assert found.provenance is nearfield.Provenance.FALLBACK


def test_without_a_featurizer_new_items_are_refused(server: FakeServer) -> None:
    server.world = FakeWorld(featurizer="")
    with Client(server.target) as client:
        with pytest.raises(nearfield.FailedPreconditionError) as caught:
            client.embed_item(NewItem("book", title="x"))
        assert caught.value.reason == nearfield.Reason.FEATURIZER_MISSING
        assert client.embed_item("book-1").featurizer == ""


def test_empty_batch_on_the_wire_is_refused(server: FakeServer) -> None:
    with grpc.insecure_channel(server.target) as channel:
        call = channel.unary_unary(
            Method.BATCH_EMBED_ITEMS,
            request_serializer=embedding_pb2.BatchEmbedItemsRequest.SerializeToString,
            response_deserializer=embedding_pb2.BatchEmbedItemsResponse.FromString,
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(embedding_pb2.BatchEmbedItemsRequest(), timeout=5.0)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_calls_are_kept_with_what_came_along(server: FakeServer) -> None:
    with Client(server.target) as client:
        client.recommend_many([RecommendQuery("user-1")], timeout_s=9.0, request_id="mine")

    (call,) = server.calls(Method.BATCH_RECOMMEND)
    assert getattr(call.request, "request_id", "") == "mine"
    assert call.timeout_s == pytest.approx(9.0, abs=1.0)
    assert server.calls(Method.RECOMMEND) == ()


def health_stub(channel: grpc.Channel) -> Any:  # noqa: ANN401  has no types
    make: Any = health_pb2_grpc.HealthStub
    return make(channel)


def test_health_is_what_it_was_told_to_say(server: FakeServer) -> None:
    with grpc.insecure_channel(server.target) as channel:
        stub = health_stub(channel)
        asked = health_pb2.HealthCheckRequest(service="nearfield.v1.InfoService")
        watched = stub.Watch(asked, timeout=10)
        said = [next(watched).status, stub.Check(asked, timeout=10).status]
        server.serving = False
        said += [next(watched).status, stub.Check(asked, timeout=10).status]
        watched.cancel()

    names = [health_pb2.HealthCheckResponse.ServingStatus.Name(each) for each in said]
    assert names == ["SERVING", "SERVING", "NOT_SERVING", "NOT_SERVING"]
    assert not server.serving


def test_watching_takes_no_thread_from_calls(server: FakeServer) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            channel = stack.enter_context(grpc.insecure_channel(server.target))
            stub = health_stub(channel)
            next(stub.Watch(health_pb2.HealthCheckRequest()))

        client = stack.enter_context(Client(server.target))
        assert client.embed_item("book-1", timeout_s=5.0).item_id == "book-1"


def test_error_comes_by_its_reason(server: FakeServer) -> None:
    server.fail(Method.RECOMMEND, status_of(Reason.OVERLOADED))
    server.fail_id("book-1", status_of(Reason.ITEM_UNKNOWN))

    with Client(server.target, retry=NO_RETRY) as client:
        with pytest.raises(nearfield.ResourceExhaustedError) as caught:
            client.recommend("user-1")
        (outcome,) = client.embed_items(["book-1"])

    assert (caught.value.reason, caught.value.retry_delay_s) == (Reason.OVERLOADED, 0.5)
    assert isinstance(outcome, nearfield.NotFoundError)


def test_wait_of_an_error_can_be_shortened() -> None:
    assert status_of(Reason.OVERLOADED, retry_delay_s=0.01).retry_delay_s == 0.01
    assert status_of(Reason.FAULT).retry_delay_s is None


@pytest.mark.parametrize("reason", list(Reason))
def test_errors_by_reason_are_those_of_the_server(reason: Reason) -> None:
    number = errors_pb2.ErrorReason.Value(f"ERROR_REASON_{reason}")
    rows = {(row.code, row.retry_s) for row in TABLE.values() if row.reason == number}

    made = status_of(reason)
    assert rows <= {(made.code, made.retry_delay_s)}  # a reason may be one that nothing gives yet


def test_caller_of_each_call_is_told(server: FakeServer) -> None:
    with Client(server.target) as one, Client(server.target) as other:
        for client in (one, one, other):
            client.embed_item("book-1")

    peers = [call.peer for call in server.calls(Method.EMBED_ITEM)]
    assert peers[0] == peers[1]
    assert peers[0].startswith("ipv4:127.0.0.1:")
