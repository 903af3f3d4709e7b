from dataclasses import replace
from typing import Any, cast

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

import nearfield
from nearfield import (
    Connection,
    Grouping,
    ItemEmbedding,
    NewItem,
    Reason,
    RecommendQuery,
    SimilarQuery,
    Status,
    stack,
)
from nearfield.errors import DOMAIN
from nearfield.testing import USUAL_LIMITS, FakeItem, FakeServer, FakeWorld, Method
from nearfield.v1 import embedding_pb2, types_pb2
from tests.nearfield.conftest import Connect


def sizes(server: FakeServer, method: Method) -> list[int]:
    return [len(cast("Any", call.request).requests) for call in server.calls(method)]


def ids(batch: nearfield.Batch[ItemEmbedding]) -> list[str]:
    return [each.item_id for each in batch.results()]


def test_ten_thousand_items_keep_their_order(server: FakeServer, client: nearfield.Client) -> None:
    asked = [f"item-{number}" for number in range(10_000)]
    server.world = FakeWorld(items=[FakeItem(item_id, "book") for item_id in ("item-0",)])
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)

    batch = client.embed_items(asked)

    assert ids(batch) == asked
    assert stack(batch.results()).shape == (10_000, 8)
    assert sizes(server, Method.BATCH_EMBED_ITEMS) == [256] * 39 + [16]


def echoed(request: Message) -> Message:
    """Answer any id, without looking it up."""
    assert isinstance(request, embedding_pb2.BatchEmbedItemsRequest)
    return embedding_pb2.BatchEmbedItemsResponse(
        results=[
            embedding_pb2.EmbedItemResult(
                embedding=embedding_pb2.ItemEmbedding(
                    item_id=each.item_id,
                    vector=types_pb2.Vector(
                        data=np.ones(8, "<f4").tobytes(),
                        dtype=types_pb2.VECTOR_DTYPE_FLOAT32,
                        dimensions=8,
                        space_id="s",
                    ),
                )
            )
            for each in request.requests
        ]
    )


def test_limits_are_asked_for_once(server: FakeServer, client: nearfield.Client) -> None:
    for _ in range(3):
        client.embed_items(["book-1"])
        client.recommend_many([RecommendQuery("user-1")])

    assert len(server.calls(Method.GET_SERVER_INFO)) == 1


def test_empty_batch_asks_nobody(server: FakeServer, client: nearfield.Client) -> None:
    batch = client.embed_items([])

    assert (len(batch), batch.results(), batch.errors) == (0, (), {})
    assert server.calls(Method.GET_SERVER_INFO) == ()


def test_error_of_an_element_is_its_outcome_alone(client: nearfield.Client) -> None:
    batch = client.embed_items(["book-1", "nothing", NewItem("game", title="x"), "book-2"])

    assert set(batch.succeeded) == {0, 3}
    unknown, invalid = batch[1], batch[2]
    assert isinstance(unknown, nearfield.NotFoundError)
    assert (unknown.reason, unknown.metadata) == (Reason.ITEM_UNKNOWN, {"item_id": "nothing"})
    assert isinstance(invalid, nearfield.InvalidArgumentError)
    assert [each.field for each in invalid.violations] == ["new_item.item_type"]


def test_errors_of_elements_are_those_of_single_calls(
    server: FakeServer, client: nearfield.Client
) -> None:
    status = Status(
        grpc.StatusCode.UNAVAILABLE,
        "away",
        Reason.FEATURIZER_UNAVAILABLE,
        DOMAIN,
        {"a": "b"},
        retry_delay_s=5.5,
    )
    server.fail_id("book-1", status)

    (batched,) = client.embed_items(["book-1"], request_id="r")

    with pytest.raises(nearfield.UnavailableError) as caught:
        client.embed_item("book-1", request_id="r")
    assert isinstance(batched, nearfield.UnavailableError)
    assert batched.status == caught.value.status == replace(status, request_id="r")


def test_element_that_cannot_be_written_is_its_outcome_alone(
    server: FakeServer, client: nearfield.Client
) -> None:
    batch = client.embed_items(["book-1", "\ud800", "book-2"])

    assert set(batch.succeeded) == {0, 2}
    assert isinstance(batch[1], nearfield.ArgumentError)
    assert sizes(server, Method.BATCH_EMBED_ITEMS) == [2]


def test_part_that_fails_is_the_outcome_of_its_elements_alone(
    server: FakeServer, client: nearfield.Client
) -> None:
    client.server_info()
    server.limits = replace(server.limits, max_batch_elements=256)
    server.fail(Method.BATCH_EMBED_ITEMS, Status(grpc.StatusCode.INTERNAL, "bug"))

    batch = client.embed_items(["book-1"] * 300)

    assert set(batch.errors) == set(range(256))
    assert {type(each) for each in batch.errors.values()} == {nearfield.InternalError}
    assert set(batch.succeeded) == set(range(256, 300))


def test_when_the_server_is_away_the_rest_is_not_sent(server: FakeServer, connect: Connect) -> None:
    server.fail(Method.BATCH_EMBED_ITEMS, Status(grpc.StatusCode.UNAVAILABLE, "away"), times=100)

    batch = connect(retry=nearfield.NO_RETRY).embed_items(["book-1"] * 1000)

    assert len(batch.errors) == 1000
    assert sizes(server, Method.BATCH_EMBED_ITEMS) == [256]


def test_batch_without_a_server_has_an_error_for_each_element(
    server: FakeServer, connect: Connect
) -> None:
    with FakeServer() as gone:
        pass

    batch = connect(gone.target).embed_items(["book-1", "book-2"])

    assert [type(each) for each in batch] == [nearfield.UnavailableError] * 2


def test_results_raise_the_first_error_and_say_where_it_was(client: nearfield.Client) -> None:
    batch = client.embed_items(["book-1", "nothing", "nowhere"])

    with pytest.raises(nearfield.NotFoundError, match="nothing") as caught:
        batch.results()

    assert caught.value.__notes__ == ["element 1 of 3; 2 failed"]


def test_requests_stay_below_the_servers_message_size(connect: Connect) -> None:
    limits = replace(USUAL_LIMITS, max_request_bytes=10_000)
    with FakeServer(limits=limits) as small:
        long = [NewItem("book", description="x" * 3000) for _ in range(20)]

        batch = connect(small.target).embed_items(long)

        assert len(batch.results()) == 20
        assert sizes(small, Method.BATCH_EMBED_ITEMS) == [2] * 10


def test_requests_stay_below_the_clients_message_size(server: FakeServer, connect: Connect) -> None:
    client = connect(connection=Connection(max_message_bytes=10_000))

    batch = client.embed_items([NewItem("book", description="x" * 3000) for _ in range(20)])

    assert len(batch.results()) == 20
    assert sizes(server, Method.BATCH_EMBED_ITEMS) == [2] * 10


def test_element_too_long_for_any_message_is_its_outcome_alone(connect: Connect) -> None:
    limits = replace(USUAL_LIMITS, max_request_bytes=10_000)
    with FakeServer(limits=limits) as small:
        items: list[str | NewItem] = ["book-1", NewItem("book", description="x" * 20_000), "book-2"]

        batch = connect(small.target).embed_items(items)

        assert set(batch.succeeded) == {0, 2}
        assert isinstance(batch[1], nearfield.ResourceExhaustedError)


def test_vectors_stay_below_the_message_size(connect: Connect) -> None:
    world = FakeWorld(dimensions=500)
    with FakeServer(world, limits=replace(USUAL_LIMITS, max_response_bytes=20_000)) as small:
        batch = connect(small.target).embed_items(["book-1"] * 30)

        assert len(batch.results()) == 30
        assert max(sizes(small, Method.BATCH_EMBED_ITEMS)) == 8


def test_hits_of_a_message_stay_below_the_servers_limit(connect: Connect) -> None:
    with FakeServer(limits=replace(USUAL_LIMITS, max_hits_per_call=100)) as small:
        client = connect(small.target)

        flat = client.recommend_many([RecommendQuery("user-1", k=30)] * 7)
        usual = client.similar_items_many([SimilarQuery("book-1")] * 25)
        grouped = client.recommend_many(
            [RecommendQuery("user-1", k=10, grouping=Grouping.PER_TYPE)] * 7
        )

        assert (len(flat.results()), len(usual.results()), len(grouped.results())) == (7, 25, 7)
        assert sizes(small, Method.BATCH_RECOMMEND) == [3, 3, 1, 3, 3, 1]
        assert sizes(small, Method.BATCH_FIND_SIMILAR_ITEMS) == [10, 10, 5]


def test_answers_longer_than_estimated_are_asked_for_in_halves(connect: Connect) -> None:
    title = "t" * 2000
    world = FakeWorld(items=[FakeItem(f"book-{n}", "book", title) for n in range(60)])
    with FakeServer(world, limits=replace(USUAL_LIMITS, max_response_bytes=100_000)) as small:
        queries = [SimilarQuery(f"book-{n}", k=10, titled=True) for n in range(20)]

        batch = connect(small.target).similar_items_many(queries)

        found = [hits.hits[0].title for hits in batch.results()]
        assert found == [title] * 20
        alone = connect(small.target).similar_items("book-7", k=10, titled=True)
        assert batch.results()[7].hits == alone.hits


def test_lowered_limits_of_the_server_are_learnt(
    server: FakeServer, client: nearfield.Client
) -> None:
    client.embed_items(["book-1"])
    server.limits = replace(server.limits, max_batch_elements=10)

    first = client.embed_items(["book-1"] * 20)
    second = client.embed_items(["book-1"] * 20)

    assert (len(first.results()), len(second.results())) == (20, 20)
    assert sizes(server, Method.BATCH_EMBED_ITEMS) == [1, 20, 10, 10, 10, 10]


def test_vectors_of_two_generations_do_not_go_into_one_array(
    server: FakeServer, client: nearfield.Client
) -> None:
    old = client.embed_items(["book-1"])
    server.world = FakeWorld(space_id="next")
    new = client.embed_items(["book-1"])

    with pytest.raises(nearfield.SpaceMismatchError):
        stack([*old.results(), *new.results()])


@pytest.mark.parametrize("results", [0, 3])
def test_answer_with_another_number_of_results_is_refused(
    server: FakeServer, client: nearfield.Client, results: int
) -> None:
    server.answer_with(
        Method.BATCH_EMBED_ITEMS,
        lambda _: embedding_pb2.BatchEmbedItemsResponse(
            results=[embedding_pb2.EmbedItemResult()] * results
        ),
    )

    batch = client.embed_items(["book-1", "book-2"])

    assert [type(each) for each in batch] == [nearfield.BadAnswerError] * 2
    assert str(batch[0]) == f"results: expected 2, got {results}"


def test_element_with_a_broken_vector_is_its_outcome_alone(
    server: FakeServer, client: nearfield.Client
) -> None:
    def broken(request: Message) -> Message:
        answer = echoed(request)
        assert isinstance(answer, embedding_pb2.BatchEmbedItemsResponse)
        answer.results[1].embedding.vector.data = b"short"
        return answer

    server.answer_with(Method.BATCH_EMBED_ITEMS, broken)

    batch = client.embed_items(["a", "b", "c"])

    assert set(batch.succeeded) == {0, 2}
    assert isinstance(batch[1], nearfield.BadAnswerError)


def test_one_string_is_not_a_batch(client: nearfield.Client) -> None:
    with pytest.raises(nearfield.ArgumentError, match="one string"):
        client.embed_items("book-1")
