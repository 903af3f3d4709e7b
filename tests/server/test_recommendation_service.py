from collections.abc import Iterable
from dataclasses import replace

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import ErrorInfo

from export.generation import Generation
from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.engine import Engine
from server.pages import read_page
from tests.server.support import (
    FlakyFeaturizer,
    codes,
    detail,
    numbers,
    reason,
    rich_status,
    running,
)
from tests.support.generation import TinyWorld


def known(user_id: str) -> types_pb2.UserInput:
    return types_pb2.UserInput(user_id=user_id)


def listener(*item_ids: str) -> types_pb2.UserInput:
    events = [types_pb2.HistoryEvent(item_id=item_id) for item_id in item_ids]
    return types_pb2.UserInput(history=events)


def ids(hits: Iterable[types_pb2.ItemHit]) -> list[str]:
    return [hit.item_id for hit in hits]


async def test_people_get_the_items_of_their_own_community(
    engine: Engine, world: TinyWorld
) -> None:
    community = dict(zip(world.item_ids, world.community.tolist(), strict=True))
    requests = [pb.RecommendRequest(user=known(user_id)) for user_id in world.user_ids]
    async with running(engine) as client:
        batch = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
    own = [
        community[hit.item_id] == number % 2
        for number, result in enumerate(batch.results)
        for hit in result.recommendation.hits
    ]
    assert len(own) == 10 * len(world.user_ids)
    assert sum(own) > 0.8 * len(own)


async def test_hits_are_the_nearest_unseen_items_best_first(
    engine: Engine, generation: Generation, world: TinyWorld
) -> None:
    async with running(engine) as client:
        request = pb.RecommendRequest(user=known("user-5"), k=12)
        answer = (await client.recommendation.Recommend(request)).recommendation
        embedded = await client.embedding.EmbedUser(
            embedding_pb2.EmbedUserRequest(user=known("user-5"))
        )
    scores = generation.item_vectors @ numbers(embedded.embedding.vector)
    scores[world.histories[5]] = -np.inf
    expected = np.argsort(-scores, kind="stable")[:12]
    assert ids(answer.hits) == generation.item_ids.ids(expected)
    np.testing.assert_allclose([hit.score for hit in answer.hits], scores[expected], atol=1e-5)
    assert answer.provenance == types_pb2.PROVENANCE_GRAPH
    assert answer.history_events == 10
    assert not answer.warnings


async def test_seen_items_are_dropped_unless_asked_for(engine: Engine, world: TinyWorld) -> None:
    seen = {world.item_ids[row] for row in world.histories[5]}
    async with running(engine) as client:
        request = pb.RecommendRequest(user=known("user-5"), k=50)
        without = (await client.recommendation.Recommend(request)).recommendation
        request.drop_seen = False
        everything = (await client.recommendation.Recommend(request)).recommendation
    assert not seen & set(ids(without.hits))
    assert seen <= set(ids(everything.hits))


async def test_inline_events_count_as_seen_negative_ones_too(engine: Engine) -> None:
    person = listener("podcast-00", "podcast-02")
    person.history[1].signal = types_pb2.SIGNAL_NEGATIVE
    async with running(engine) as client:
        request = pb.RecommendRequest(user=person, k=1000)
        answer = (await client.recommendation.Recommend(request)).recommendation
    assert len(answer.hits) == 58
    assert answer.history_events == 1
    assert not {"podcast-00", "podcast-02"} & set(ids(answer.hits))
    assert codes(answer.warnings) == {"FEWER_THAN_K"}


@pytest.mark.parametrize("weight", [None, 3.0])
async def test_weak_events_do_not_count_as_seen(engine: Engine, weight: float | None) -> None:
    person = listener("podcast-00", "podcast-02", "podcast-02")
    person.user_id = "user-1"
    for event in person.history[:2]:
        event.signal = types_pb2.SIGNAL_WEAK
        if weight is not None:
            event.weight = weight
    async with running(engine) as client:
        request = pb.RecommendRequest(user=person, k=1000)
        answer = (await client.recommendation.Recommend(request)).recommendation
    assert answer.history_events == 13
    assert "podcast-00" in ids(answer.hits)
    assert "podcast-02" not in ids(answer.hits)  # chosen after it was looked at


async def test_each_asked_type_gets_its_own_list(engine: Engine) -> None:
    request = pb.RecommendRequest(
        user=known("user-4"),
        k=4,
        grouping=types_pb2.GROUPING_PER_TYPE,
        filter=pb.ItemFilter(item_types=["podcast", "audiobook"]),
    )
    async with running(engine) as client:
        answer = (await client.recommendation.Recommend(request)).recommendation
        request.filter.ClearField("item_types")
        every = (await client.recommendation.Recommend(request)).recommendation
    assert [group.item_type for group in answer.groups] == ["podcast", "audiobook"]
    assert [group.item_type for group in every.groups] == ["audiobook", "podcast"]
    assert not answer.hits
    for group in answer.groups:
        assert len(group.hits) == 4
        assert {hit.item_type for hit in group.hits} == {group.item_type}
    assert ids(answer.groups[0].hits) == ids(every.groups[1].hits)


async def test_filters_hold(engine: Engine) -> None:
    wanted = ["podcast-10", "podcast-11", "audiobook-12", "audiobook-13", "gone"]
    request = pb.RecommendRequest(
        user=known("user-4"),
        drop_seen=False,
        filter=pb.ItemFilter(
            item_types=["audiobook"],
            include_item_ids=wanted,
            exclude_item_ids=["audiobook-13", "also gone"],
        ),
    )
    async with running(engine) as client:
        answer = (await client.recommendation.Recommend(request)).recommendation
    assert ids(answer.hits) == ["audiobook-12"]
    assert codes(answer.warnings) == {"UNKNOWN_FILTER_ITEMS", "FEWER_THAN_K"}
    fields = {each.field: list(each.values) for each in answer.warnings}
    assert fields["filter.include_item_ids"] == ["gone"]
    assert fields["filter.exclude_item_ids"] == ["also gone"]


async def test_all_items_excluded_is_an_empty_answer_with_a_reason(
    engine: Engine, world: TinyWorld
) -> None:
    everything = pb.ItemFilter(exclude_item_ids=world.item_ids)
    nothing = pb.ItemFilter(include_item_ids=["gone"])
    async with running(engine) as client:
        for chosen in (everything, nothing):
            request = pb.RecommendRequest(user=known("user-4"), filter=chosen)
            answer = (await client.recommendation.Recommend(request)).recommendation
            assert not answer.hits
            assert "FEWER_THAN_K" in codes(answer.warnings)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (types_pb2.UserInput(), {"NO_HISTORY"}),
        (known("a stranger"), {"UNKNOWN_USER", "NO_HISTORY"}),
        (listener("gone"), {"UNKNOWN_HISTORY_ITEMS", "NO_HISTORY"}),
    ],
)
async def test_person_without_history_gets_the_most_popular_items(
    engine: Engine, generation: Generation, user: types_pb2.UserInput, expected: set[str]
) -> None:
    popular = np.argsort(-generation.popularity, kind="stable")[:10]
    async with running(engine) as client:
        request = pb.RecommendRequest(user=user, explain=True)
        answer = (await client.recommendation.Recommend(request)).recommendation
    assert ids(answer.hits) == generation.item_ids.ids(popular)
    assert [hit.score for hit in answer.hits] == generation.popularity[popular].tolist()
    assert answer.provenance == types_pb2.PROVENANCE_FALLBACK
    assert {hit.provenance for hit in answer.hits} == {types_pb2.PROVENANCE_FALLBACK}
    assert not any(hit.explanation for hit in answer.hits)
    assert codes(answer.warnings) == expected


async def test_explanations_are_edges_from_the_history(
    engine: Engine, generation: Generation, world: TinyWorld
) -> None:
    heard = {world.item_ids[row]: int(row) for row in world.histories[6]}
    request = pb.RecommendRequest(user=known("user-6"), k=20, explain=True, include_titles=True)
    async with running(engine) as client:
        answer = (await client.recommendation.Recommend(request)).recommendation
        request.ClearField("explain")
        request.ClearField("include_titles")
        bare = (await client.recommendation.Recommend(request)).recommendation
    explained = [hit for hit in answer.hits if hit.explanation]
    assert len(explained) > 10
    for hit in explained:
        assert len(hit.explanation) <= 3
        for path in hit.explanation:
            row = heard[path.history_item_id]
            assert path.history_item_title == world.records[row].title
            if path.relation == "creator":
                assert path.users == 0
            else:
                types = sorted((world.records[row].item_type, hit.item_type))
                assert path.relation == "-".join(types)
                assert path.users >= 2
    assert [hit.title for hit in answer.hits] == [
        world.records[world.item_ids.index(hit.item_id)].title for hit in answer.hits
    ]
    assert not any(hit.explanation or hit.title for hit in bare.hits)


async def test_batch_of_people_answers_as_the_singles_do(engine: Engine) -> None:
    requests = [
        pb.RecommendRequest(user=known("user-1"), k=3),
        pb.RecommendRequest(user=listener("podcast-01"), grouping=types_pb2.GROUPING_PER_TYPE),
        pb.RecommendRequest(user=known("a stranger"), k=100, include_titles=True),
        *(pb.RecommendRequest(user=known(f"user-{n}"), explain=True) for n in range(17)),
    ]
    async with running(engine) as client:
        singles = [(await client.recommendation.Recommend(each)) for each in requests]
        batch = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests, request_id="many")
        )
    assert batch.info.request_id == "many"
    assert [each.status.code for each in batch.results] == [0] * len(requests)
    for single, result in zip(singles, batch.results, strict=True):
        alone, together = single.recommendation, result.recommendation
        assert ids(alone.hits) == ids(together.hits)
        assert [ids(group.hits) for group in alone.groups] == [
            ids(group.hits) for group in together.groups
        ]
        assert codes(alone.warnings) == codes(together.warnings)


async def test_bad_elements_of_a_batch_fail_alone(engine: Engine) -> None:
    requests = [
        pb.RecommendRequest(user=known("user-1")),
        pb.RecommendRequest(user=known("user-1"), k=0),
        pb.RecommendRequest(user=known("user-2")),
    ]
    similar = [
        pb.FindSimilarItemsRequest(item_id="gone"),
        pb.FindSimilarItemsRequest(item_id="podcast-01"),
    ]
    async with running(engine) as client:
        batch = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
        found = await client.recommendation.BatchFindSimilarItems(
            pb.BatchFindSimilarItemsRequest(requests=similar)
        )
    assert [each.status.code for each in batch.results] == [0, 3, 0]
    assert [each.HasField("recommendation") for each in batch.results] == [True, False, True]
    assert [each.status.code for each in found.results] == [5, 0]
    assert len(found.results[1].similar_items.hits) == 10


async def test_pages_of_a_batch_go_on_where_they_ended(engine: Engine) -> None:
    requests = [
        pb.RecommendRequest(user=known("user-1"), k=9, page_size=5),
        pb.RecommendRequest(user=known("user-2"), k=9),
    ]
    async with running(engine) as client:
        whole = await client.recommendation.Recommend(
            pb.RecommendRequest(user=known("user-1"), k=9)
        )
        first = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
        assert not first.results[1].recommendation.next_page_token
        requests[0].page_token = first.results[0].recommendation.next_page_token
        second = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
    pages = [each.results[0].recommendation for each in (first, second)]
    assert [*ids(pages[0].hits), *ids(pages[1].hits)] == ids(whole.recommendation.hits)
    assert [len(page.hits) for page in pages] == [5, 4]
    assert not pages[1].next_page_token


async def test_page_of_a_generation_that_is_gone_has_expired(engine: Engine) -> None:
    request = pb.FindSimilarItemsRequest(item_id="podcast-01", page_size=3)
    async with running(engine) as client:
        answer = await client.recommendation.FindSimilarItems(request)
        page = read_page(answer.similar_items.next_page_token)
        request.page_token = replace(page, generation="0123456789abcdef").write()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.recommendation.FindSimilarItems(request)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    status = rich_status(caught.value)
    assert reason(status) == "PAGE_EXPIRED"
    info = detail(status, ErrorInfo)
    assert info is not None
    assert dict(info.metadata) == {
        "generation": "0123456789abcdef",
        "expected_generation": engine.generation.name,
    }


async def test_unknown_values_of_a_filter_are_named(engine: Engine) -> None:
    request = pb.RecommendRequest(
        user=known("user-1"),
        filter=pb.ItemFilter(languages=["de", "tlh"], genres=["polka"], creators=["Crime House"]),
    )
    async with running(engine) as client:
        nothing = (await client.recommendation.Recommend(request)).recommendation
        request.filter.ClearField("genres")
        answer = (await client.recommendation.Recommend(request)).recommendation
    assert codes(nothing.warnings) == {"UNKNOWN_CATEGORY", "FEWER_THAN_K"}
    assert not nothing.hits
    assert {each.field: [*each.values] for each in answer.warnings if each.values} == {
        "filter.languages": ["tlh"]
    }
    assert answer.hits


async def test_similar_items_are_the_nearest_others(engine: Engine, generation: Generation) -> None:
    row = 12
    scores = generation.item_vectors @ generation.item_vectors[row]
    scores[row] = -np.inf
    expected = np.argsort(-scores, kind="stable")[:5]
    async with running(engine) as client:
        answer = await client.recommendation.FindSimilarItems(
            pb.FindSimilarItemsRequest(item_id="audiobook-12", k=5, include_titles=True)
        )
    assert ids(answer.similar_items.hits) == generation.item_ids.ids(expected)
    assert answer.similar_items.provenance == types_pb2.PROVENANCE_GRAPH
    assert all(hit.title for hit in answer.similar_items.hits)
    assert answer.info.timing.retrieval_us > 0


async def test_vector_finds_its_own_item_first(engine: Engine, generation: Generation) -> None:
    async with running(engine) as client:
        embedded = await client.embedding.EmbedItem(
            embedding_pb2.EmbedItemRequest(
                item_id="podcast-09", dtype=types_pb2.VECTOR_DTYPE_FLOAT16
            )
        )
        doubled = types_pb2.Vector(
            data=(2 * numbers(embedded.embedding.vector)).astype("<f4").tobytes(),
            dimensions=embedded.embedding.vector.dimensions,
            space_id=embedded.embedding.vector.space_id,
        )
        for vector in (embedded.embedding.vector, doubled):
            answer = await client.recommendation.FindSimilarItems(
                pb.FindSimilarItemsRequest(vector=vector, k=3)
            )
            hits = answer.similar_items.hits
            assert hits[0].item_id == "podcast-09"
            assert hits[0].score == pytest.approx(1.0, abs=2e-3)
            assert answer.similar_items.provenance == types_pb2.PROVENANCE_UNSPECIFIED


@pytest.mark.parametrize("length", [3e38, 1e-45], ids=["largest", "smallest"])
async def test_length_of_a_vector_does_not_matter_however_extreme(
    engine: Engine, generation: Generation, length: float
) -> None:
    found = []
    async with running(engine) as client:
        for each in (1.0, length):
            dimensions = generation.manifest.dimensions.vector
            vector = types_pb2.Vector(
                data=np.full(dimensions, each, dtype="<f4").tobytes(),
                dimensions=dimensions,
                space_id=generation.manifest.space_id,
            )
            answer = await client.recommendation.FindSimilarItems(
                pb.FindSimilarItemsRequest(vector=vector, k=3)
            )
            found.append([(hit.item_id, hit.score) for hit in answer.similar_items.hits])
    assert found[0] == found[1]
    assert found[0][0][1] > 0


async def test_items_like_a_new_one_are_those_near_its_vector(engine: Engine) -> None:
    item = types_pb2.NewItem(
        item_type="podcast",
        title="A romance podcast, part 99",
        genres=["romance"],
        creator="romance house",
    )
    async with running(engine) as client:
        embedded = await client.embedding.EmbedItem(embedding_pb2.EmbedItemRequest(new_item=item))
        by_item = await client.recommendation.FindSimilarItems(
            pb.FindSimilarItemsRequest(new_item=item)
        )
        by_vector = await client.recommendation.FindSimilarItems(
            pb.FindSimilarItemsRequest(vector=embedded.embedding.vector)
        )
    assert ids(by_item.similar_items.hits) == ids(by_vector.similar_items.hits)
    assert by_item.similar_items.provenance == types_pb2.PROVENANCE_INDUCTIVE
    assert by_item.similar_items.featurizer == "flaky"
    assert by_item.info.timing.featurizer_us > 0


async def test_without_the_featurizer_recommendations_and_known_items_go_on(
    engine: Engine,
) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.away = True
    async with running(engine, featurizer) as client:
        person = pb.RecommendRequest(user=known("user-1"))
        assert len((await client.recommendation.Recommend(person)).recommendation.hits) == 10
        like = pb.FindSimilarItemsRequest(item_id="podcast-01")
        found = await client.recommendation.FindSimilarItems(like)
        assert len(found.similar_items.hits) == 10
        item = await client.embedding.EmbedItem(
            embedding_pb2.EmbedItemRequest(item_id="podcast-01")
        )
        assert item.embedding.provenance == types_pb2.PROVENANCE_GRAPH
