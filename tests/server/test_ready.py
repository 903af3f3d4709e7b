"""What is read is what would be computed, and whatever asks for more is computed."""

import numpy as np
import pytest
from google.protobuf.message import Message

from export.generation import Generation
from nearfield import RecommendQuery
from nearfield.requests import recommend
from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.bytes import HitBytes, varint
from server.engine import Engine
from server.ready import ReadyAnswers
from server.requests import ItemFilter, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch
from server.wire import write_recommendation, write_user_vector
from tests.server.support import numbers, running
from tests.support.generation import LISTED

SOMEBODY = types_pb2.UserInput(user_id="user-3")


@pytest.fixture
def ready(generation: Generation, engine: Engine) -> ReadyAnswers:
    opened = ReadyAnswers.of(generation, engine.catalogue, most_events=engine.most_events)
    assert opened is not None
    return opened


def without_scores(message: pb.Recommendation) -> pb.Recommendation:
    bare = pb.Recommendation()
    bare.CopyFrom(message)
    for hit in bare.hits:
        hit.score = 0
        hit.ClearField("calibrated_score")
    return bare


@pytest.mark.parametrize("k", [1, 10, LISTED])
def test_read_recommendation_is_the_computed_one(
    generation: Generation, engine: Engine, ready: ReadyAnswers, k: int
) -> None:
    for row in range(len(generation.user_ids)):
        user_id = generation.user_ids.id(row)
        request = pb.RecommendRequest(user=types_pb2.UserInput(user_id=user_id), k=k)
        written = ready.recommendation(request, default_k=10)
        assert written is not None
        task = RecommendTask(Person(user_id), Shape(k, ItemFilter()))
        (answer,) = engine.recommender.recommend([task], Stopwatch())
        got, expected = pb.Recommendation.FromString(written), write_recommendation(answer)
        assert without_scores(got) == without_scores(expected)
        scores = [[hit.score for hit in each.hits] for each in (got, expected)]
        np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)
        chances = [[hit.calibrated_score for hit in each.hits] for each in (got, expected)]
        assert all(hit.HasField("calibrated_score") for hit in got.hits)
        np.testing.assert_allclose(chances[0], chances[1], atol=1e-5)


def test_read_vector_is_the_computed_one(
    generation: Generation, engine: Engine, ready: ReadyAnswers
) -> None:
    ids = generation.user_ids.ids(range(len(generation.user_ids)))
    computed = engine.users.embed([engine.users.state(Person(each)) for each in ids], Stopwatch())
    for user_id, expected in zip(ids, computed, strict=True):
        assert not isinstance(expected, Exception)
        request = embedding_pb2.EmbedUserRequest(user=types_pb2.UserInput(user_id=user_id))
        got = ready.embedding(request)
        assert got is not None
        messages = [
            write_user_vector(each, types_pb2.VECTOR_DTYPE_FLOAT32, "space")
            for each in (got, expected)
        ]
        vectors = [numbers(each.vector) for each in messages]
        np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
        for each in messages:
            each.vector.data = b""
        assert messages[0] == messages[1]


@pytest.mark.parametrize(
    "request_",
    [
        pb.RecommendRequest(user=SOMEBODY, k=LISTED + 1),
        pb.RecommendRequest(user=SOMEBODY, k=0),
        pb.RecommendRequest(user=SOMEBODY, k=-1),
        pb.RecommendRequest(user=SOMEBODY, drop_seen=False),
        pb.RecommendRequest(user=SOMEBODY, explain=True),
        pb.RecommendRequest(user=SOMEBODY, include_titles=True),
        pb.RecommendRequest(user=SOMEBODY, grouping=types_pb2.GROUPING_PER_TYPE),
        pb.RecommendRequest(user=SOMEBODY, filter=pb.ItemFilter(item_types=["podcast"])),
        pb.RecommendRequest(user=types_pb2.UserInput(user_id="nobody")),
        pb.RecommendRequest(user=types_pb2.UserInput()),
        pb.RecommendRequest(),
        pb.RecommendRequest(
            user=types_pb2.UserInput(
                user_id="user-3", history=[types_pb2.HistoryEvent(item_id="podcast-01")]
            )
        ),
        pb.RecommendRequest(
            user=types_pb2.UserInput(
                user_id="user-3", demographics=types_pb2.Demographics(country="SE")
            )
        ),
    ],
)
def test_whatever_asks_for_more_is_computed(
    ready: ReadyAnswers, request_: pb.RecommendRequest
) -> None:
    assert ready.recommendation(request_, default_k=10) is None


@pytest.mark.parametrize(
    "request_",
    [
        pb.RecommendRequest(user=SOMEBODY, drop_seen=True),
        pb.RecommendRequest(user=SOMEBODY, grouping=types_pb2.GROUPING_SINGLE_LIST),
        pb.RecommendRequest(user=SOMEBODY, filter=pb.ItemFilter()),
        recommend(RecommendQuery("user-3"), "a call of the SDK"),
        recommend(RecommendQuery("user-3", k=5), ""),
    ],
)
def test_whatever_asks_for_what_is_kept_is_read(
    ready: ReadyAnswers, request_: pb.RecommendRequest
) -> None:
    plain = pb.RecommendRequest(user=SOMEBODY)
    if request_.HasField("k"):
        plain.k = request_.k
    read = ready.recommendation(request_, default_k=10)
    assert read is not None
    assert read == ready.recommendation(plain, default_k=10)


async def test_batch_of_read_and_computed_answers_is_in_order(engine: Engine) -> None:
    users = ["user-1", "nobody", "user-2", "", "user-3"]
    requests = [pb.RecommendRequest(user=types_pb2.UserInput(user_id=each)) for each in users]
    requests.insert(2, pb.RecommendRequest(k=-1))
    async with running(engine) as client:
        singles: list[Message | None] = []
        for each in requests:
            if each.k < 0:
                singles.append(None)
            else:
                singles.append((await client.recommendation.Recommend(each)).recommendation)
        batch = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
    assert [each.status.code for each in batch.results] == [0, 0, 3, 0, 0, 0]
    assert all(each.HasField("status") for each in batch.results)
    answers = [None if each.status.code else each.recommendation for each in batch.results]
    assert answers == singles


def test_hits_are_as_protobuf_writes_them(engine: Engine) -> None:
    rows, scores = [5, 59, 0, 5], [1.5, -2.0, 0.0, 1e-3]
    writer = HitBytes(engine.catalogue, most=2)
    got = pb.Recommendation.FromString(writer.write(1, rows, scores, None)).hits
    assert not any(hit.HasField("calibrated_score") for hit in got)
    assert [hit.item_id for hit in got] == [engine.catalogue.item_id(row) for row in rows]
    assert [hit.item_type for hit in got] == [engine.catalogue.type_name(row) for row in rows]
    np.testing.assert_allclose([hit.score for hit in got], scores)


@pytest.mark.parametrize("number", [0, 1, 127, 128, 300, 16_383, 16_384, 2**32])
def test_whole_numbers_are_as_protobuf_writes_them(number: int) -> None:
    written = types_pb2.Timing(total_us=number).SerializeToString()
    assert varint(number) == (written[1:] or b"\0")
