"""What both clients do: every test runs with Client and with AsyncClient."""

import inspect
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

import nearfield
from nearfield import (
    AsyncClient,
    Client,
    Event,
    Grouping,
    ItemFilter,
    NewItem,
    Provenance,
    RecommendQuery,
    Signal,
    SimilarQuery,
    SpaceVector,
    User,
    VectorDtype,
    WarningCode,
)
from nearfield.testing import FakeServer, FakeWorld, Method
from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from tests.nearfield.conftest import Connect


def test_known_item_has_the_vector_of_the_server(server: FakeServer, client: Client) -> None:
    found = client.embed_item("book-3")

    assert found.vector.dtype == np.float32
    assert found.vector.shape == (8,)
    np.testing.assert_array_equal(found.vector, server.world.vector("book-3"))
    assert (found.item_id, found.item_type, found.provenance) == (
        "book-3",
        "book",
        Provenance.GRAPH,
    )
    assert (found.space_id, found.generation) == ("fake-space", "fake-generation")


def test_vector_of_an_answer_cannot_be_changed(client: Client) -> None:
    with pytest.raises(ValueError, match="read-only"):
        client.embed_item("book-3").vector[0] = 1.0


def test_half_precision_travels_as_two_bytes_and_arrives_as_float32(
    server: FakeServer, client: Client
) -> None:
    found = client.embed_item("book-3", dtype=VectorDtype.FLOAT16)

    (call,) = server.calls(Method.EMBED_ITEM)
    assert isinstance(call.request, embedding_pb2.EmbedItemRequest)
    assert call.request.dtype == types_pb2.VECTOR_DTYPE_FLOAT16
    assert found.vector.dtype == np.float32
    expected = server.world.vector("book-3").astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(found.vector, expected)


def test_new_item_is_sent_field_by_field(server: FakeServer, client: Client) -> None:
    new = NewItem(
        "book",
        title="Dune",
        description="Sand.",
        genres=["scifi", "desert"],
        language="en",
        creator="Herbert",
        year=1965,
        related_item_ids=["book-1", "film-2"],
    )

    found = client.embed_item(new)

    (call,) = server.calls(Method.EMBED_ITEM)
    assert isinstance(call.request, embedding_pb2.EmbedItemRequest)
    assert call.request.new_item == types_pb2.NewItem(
        item_type="book",
        title="Dune",
        description="Sand.",
        genres=["scifi", "desert"],
        language="en",
        creator="Herbert",
        year=1965,
        related_item_ids=["book-1", "film-2"],
    )
    assert found.provenance is Provenance.INDUCTIVE
    assert (found.item_id, found.neighbours, found.featurizer) == ("", 2, "fake-text")


def test_item_without_a_year_is_not_an_item_of_the_year_0(
    server: FakeServer, client: Client
) -> None:
    client.embed_item(NewItem("book", title="x"))
    client.embed_item(NewItem("book", title="x", year=0))

    without, with_year = (call.request for call in server.calls(Method.EMBED_ITEM))
    assert isinstance(without, embedding_pb2.EmbedItemRequest)
    assert isinstance(with_year, embedding_pb2.EmbedItemRequest)
    assert not without.new_item.HasField("year")
    assert with_year.new_item.HasField("year")


def test_user_by_id_is_the_mean_of_the_stored_history(server: FakeServer, client: Client) -> None:
    found = client.embed_user("user-7")

    np.testing.assert_array_equal(
        found.vector, server.world.mean(["book-7", "film-7", "podcast-7"])
    )
    assert (found.user_id, found.history_events, found.provenance) == (
        "user-7",
        3,
        Provenance.GRAPH,
    )


def test_person_is_sent_event_by_event(server: FakeServer, client: Client) -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=2)))
    user = User(
        "somebody",
        history=[
            Event("book-1", time=moment),
            Event("film-1", Signal.WEAK, weight=0.25, time=moment + timedelta(seconds=1)),
        ],
        country="SE",
        age_bucket="25-34",
        gender="F",
    )

    found = client.embed_user(user)

    (call,) = server.calls(Method.EMBED_USER)
    assert isinstance(call.request, embedding_pb2.EmbedUserRequest)
    first, second = call.request.user.history
    assert (first.item_id, first.signal) == ("book-1", types_pb2.SIGNAL_STRONG)
    assert not first.HasField("weight")
    assert first.time.ToDatetime(tzinfo=UTC) == moment
    assert (second.signal, second.weight) == (types_pb2.SIGNAL_WEAK, 0.25)
    asked = call.request.user.demographics
    assert (asked.country, asked.age_bucket, asked.gender) == ("SE", "25-34", "F")
    assert [each.code for each in found.warnings] == [WarningCode.UNKNOWN_USER]
    assert found.warnings[0].values == ("somebody",)


def test_person_without_demographics_sends_none(server: FakeServer, client: Client) -> None:
    client.embed_user(User("user-1", history=[Event("book-2")]))

    (call,) = server.calls(Method.EMBED_USER)
    assert isinstance(call.request, embedding_pb2.EmbedUserRequest)
    assert not call.request.user.HasField("demographics")


def test_recommendations_are_what_the_server_chose(server: FakeServer, client: Client) -> None:
    server.world = FakeWorld(recommendations={"user-7": ["film-9", "book-2", "film-4"]})

    found = client.recommend("user-7", k=2, titled=True)

    assert [hit.item_id for hit in found.hits] == ["film-9", "book-2"]
    assert [hit.title for hit in found.hits] == ["Film number 9", "Book number 2"]
    assert found.hits[0].score > found.hits[1].score
    assert (found.history_events, found.groups, found.warnings) == (3, {}, ())


def test_every_argument_of_recommend_is_sent(server: FakeServer, client: Client) -> None:
    client.recommend(
        "user-7",
        k=3,
        items=ItemFilter(item_types=["film"], include=["film-1", "film-2"], exclude=["film-2"]),
        drop_seen=False,
        grouping=Grouping.PER_TYPE,
        explained=True,
        titled=True,
        request_id="mine",
    )

    (call,) = server.calls(Method.RECOMMEND)
    assert call.request == recommendation_pb2.RecommendRequest(
        user=types_pb2.UserInput(user_id="user-7"),
        k=3,
        filter=recommendation_pb2.ItemFilter(
            item_types=["film"], include_item_ids=["film-1", "film-2"], exclude_item_ids=["film-2"]
        ),
        drop_seen=False,
        grouping=types_pb2.GROUPING_PER_TYPE,
        explain=True,
        include_titles=True,
        request_id="mine",
    )


def test_hits_by_type_are_grouped(client: Client) -> None:
    found = client.recommend("user-7", k=2, grouping=Grouping.PER_TYPE)

    assert found.hits == ()
    assert {kind: len(hits) for kind, hits in found.groups.items()} == {
        "book": 2,
        "film": 2,
        "podcast": 2,
    }
    assert all(hit.item_type == kind for kind, hits in found.groups.items() for hit in hits)


def test_explanation_starts_from_the_history(client: Client) -> None:
    found = client.recommend("user-7", k=1, explained=True)

    ((path,),) = (hit.explanation for hit in found.hits)
    assert (path.history_item_id, path.history_item_title) == ("podcast-7", "Podcast number 7")


def test_fewer_hits_than_k_come_with_a_warning(client: Client) -> None:
    found = client.recommend("user-7", k=10, items=ItemFilter(include=["book-1", "nothing"]))

    assert [hit.item_id for hit in found.hits] == ["book-1"]
    assert [each.code for each in found.warnings] == [WarningCode.FEWER_THAN_K]


def test_somebody_unknown_gets_what_is_popular(client: Client) -> None:
    found = client.recommend(User(), k=2)

    assert found.provenance is Provenance.FALLBACK
    assert [hit.item_id for hit in found.hits] == ["book-0", "book-1"]


def test_item_is_not_similar_to_itself(client: Client) -> None:
    found = client.similar_items("book-3", k=60)

    assert len(found.hits) == 59
    assert "book-3" not in {hit.item_id for hit in found.hits}


def test_embedding_is_a_query(client: Client) -> None:
    item = client.embed_item("book-3")

    found = client.similar_items(item, k=1)

    assert found.hits[0].item_id == "book-3"
    assert found.hits[0].score == pytest.approx(1.0)
    assert found.provenance is Provenance.UNSPECIFIED


def test_mixture_of_vectors_is_a_query(server: FakeServer, client: Client) -> None:
    book, film = client.embed_item("book-3"), client.embed_item("film-3")

    client.similar_items(SpaceVector(book.vector + 3 * film.vector, book.space_id), k=1)

    (call,) = server.calls(Method.FIND_SIMILAR_ITEMS)
    assert isinstance(call.request, recommendation_pb2.FindSimilarItemsRequest)
    vector = call.request.vector
    assert (vector.dtype, vector.dimensions) == (types_pb2.VECTOR_DTYPE_FLOAT32, 8)
    np.testing.assert_array_equal(np.frombuffer(vector.data, "<f4"), book.vector + 3 * film.vector)


def test_new_item_is_a_query(client: Client) -> None:
    found = client.similar_items(NewItem("book", title="Dune"), k=1)

    assert (found.provenance, found.featurizer) == (Provenance.TEXT_ONLY, "fake-text")


def test_vector_of_another_space_is_refused(server: FakeServer, client: Client) -> None:
    old = client.embed_item("book-3")
    server.world = FakeWorld(space_id="next-space", generation="next")

    with pytest.raises(nearfield.SpaceMismatchError) as caught:
        client.similar_items(old)

    assert caught.value.metadata == {"space_id": "fake-space", "expected_space_id": "next-space"}


def test_server_info_says_what_is_served(client: Client) -> None:
    found = client.server_info()

    assert found.generation.item_types == {"book": 20, "film": 20, "podcast": 20}
    assert (found.generation.items, found.generation.users) == (60, 10)
    assert found.generation.create_time is None
    assert (found.limits.max_batch_elements, found.limits.max_k) == (256, 1000)
    assert found.versions.api == "nearfield.v1"


def test_batch_equals_the_single_calls(client: Client) -> None:
    users: list[str | User] = ["user-1", User("user-2", history=[Event("book-9")]), "user-3"]

    batch = client.recommend_many([RecommendQuery(user, k=3) for user in users])
    similar = client.similar_items_many([SimilarQuery(f"book-{n}", k=3) for n in range(3)])

    alone = [client.recommend(user, k=3).hits for user in users]
    assert [each.hits for each in batch.results()] == alone
    alone = [client.similar_items(f"book-{n}", k=3).hits for n in range(3)]
    assert [each.hits for each in similar.results()] == alone
    vectors = [each.vector for each in client.embed_users(users).results()]
    np.testing.assert_array_equal(vectors, [client.embed_user(user).vector for user in users])


def test_request_id_is_the_callers_own(server: FakeServer, client: Client) -> None:
    assert client.embed_item("book-1", request_id="mine").info.request_id == "mine"


def test_request_id_is_made_up_where_none_is_given(server: FakeServer, client: Client) -> None:
    first, second = client.embed_item("book-1"), client.embed_item("book-1")

    assert len({first.info.request_id, second.info.request_id, ""}) == 3


def test_metadata_of_the_connection_comes_with_every_call(
    server: FakeServer, connect: Connect
) -> None:
    client = connect(connection=nearfield.Connection(metadata=[("x-api-key", "secret")]))

    client.embed_items(["book-1"])

    for method in (Method.GET_SERVER_INFO, Method.BATCH_EMBED_ITEMS):
        (call,) = server.calls(method)
        assert call.metadata["x-api-key"] == "secret"
        assert str(call.metadata["user-agent"]).startswith(
            f"nearfield-python/{nearfield.__version__} "
        )


@pytest.mark.parametrize(
    "item",
    [NewItem("book", title="\ud800"), NewItem("book", title="x", year=2**40)],
    ids=["surrogate", "year"],
)
def test_what_cannot_be_written_is_not_sent(
    server: FakeServer, client: Client, item: NewItem
) -> None:
    with pytest.raises(nearfield.ArgumentError):
        client.embed_item(item)

    assert server.calls(Method.EMBED_ITEM) == ()


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan"), float("inf")])
def test_timeout_that_is_none_is_refused(
    server: FakeServer, client: Client, timeout_s: float
) -> None:
    with pytest.raises(nearfield.ArgumentError, match="timeout_s"):
        client.embed_item("book-1", timeout_s=timeout_s)
    with pytest.raises(nearfield.ArgumentError, match="timeout_s"):
        client.embed_items(["book-1"], timeout_s=timeout_s)

    assert server.calls(Method.EMBED_ITEM) == ()


def test_both_clients_have_the_same_methods_with_the_same_signatures() -> None:
    def methods(kind: type) -> dict[str, inspect.Signature]:
        return {
            name: inspect.signature(member)
            for name, member in vars(kind).items()
            if inspect.isfunction(member) and (not name.startswith("_") or name == "__init__")
        }

    ours, theirs = methods(AsyncClient), methods(Client)
    streams = {name for name in theirs if name.endswith("_stream")}
    assert len(streams) == 4
    for name in streams:  # sources and results are of another type there
        assert {*ours[name].parameters} == {*theirs[name].parameters}
    assert all(ours[name] == theirs[name] for name in theirs.keys() - streams)
    assert ours.keys() == theirs.keys()
    for name, member in inspect.getmembers(AsyncClient, inspect.isfunction):
        if not name.startswith("_"):
            assert inspect.iscoroutinefunction(member) is (name not in streams), name
