"""Filters, quotas, diversity, exploration and pages, from the message to the hits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.generation import Generation
from export.generation.layout import NO_YEAR
from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1 import types_pb2
from retrieval.calibrate import Calibration
from server.answers import NoticeKind, Recommendation
from server.engine import Engine
from server.errors import InvalidRequestError, PageExpiredError
from server.pages import generation_of, read_page
from tests.server.arranging import Answers, ids, known, varied
from tests.support.generation import TinyWorld

TYPES = ("audiobook", "podcast")


@pytest.fixture(scope="module")
def answers(generation: Generation, engine: Engine) -> Answers:
    return Answers.of(varied(generation), engine)


def some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True)


item_ids = st.lists(st.integers(0, 59).map(lambda n: f"{TYPES[n // 30]}-{n % 30:02d}"), max_size=40)


@st.composite
def any_filter(draw: st.DrawFn) -> pb.ItemFilter:
    first = draw(st.none() | st.sampled_from((1980, 1995, 2005)))
    last = draw(st.none() | st.sampled_from((2005, 2020)))
    return pb.ItemFilter(
        item_types=draw(some(*TYPES)),
        include_item_ids=draw(st.just([]) | item_ids),
        exclude_item_ids=draw(item_ids),
        languages=draw(some("en", "DE", "xx")),
        genres=draw(some("history", "romance", "poetry")),
        all_genres=draw(some("history", "science")),
        creators=draw(some("ann", "Bo", "nobody")),
        year_from=first,
        year_to=last,
    )


def passes(generation: Generation, row: int, asked: pb.ItemFilter) -> bool:
    """Read the filter for one item."""
    item = generation.record(row)
    item_id = generation.item_ids.id(row)
    bounded = asked.HasField("year_from") or asked.HasField("year_to")
    year = NO_YEAR if item.year is None else item.year
    last = asked.year_to if asked.HasField("year_to") else 9999
    first = asked.year_from if asked.HasField("year_from") else -9999
    return (
        (not asked.item_types or item.item_type in asked.item_types)
        and (not asked.include_item_ids or item_id in asked.include_item_ids)
        and item_id not in asked.exclude_item_ids
        and (not asked.languages or item.language in {each.lower() for each in asked.languages})
        and (not asked.genres or bool({*item.genres} & {*asked.genres}))
        and {*asked.all_genres} <= {*item.genres}
        and (
            not asked.creators or item.creator.lower() in {each.lower() for each in asked.creators}
        )
        and (not bounded or first <= year <= last)
    )


def left(answers: Answers, world: TinyWorld, number: int, request: pb.RecommendRequest) -> set[str]:
    """The ids that a request leaves, item by item."""
    seen = {*world.histories[number].tolist()}
    return {
        world.item_ids[row]
        for row in range(60)
        if row not in seen and passes(answers.generation, row, request.filter)
    }


@st.composite
def any_request(draw: st.DrawFn) -> tuple[int, pb.RecommendRequest]:
    number = draw(st.integers(0, 19))
    k = draw(st.integers(1, 70))
    request = pb.RecommendRequest(
        user=known(number),
        k=k,
        filter=draw(any_filter()),
        diversity=draw(st.sampled_from((0.0, 0.0, 0.3, 1.0))),
        exploration=draw(st.sampled_from((0.0, 0.0, 0.1, 5.0))),
        seed=draw(st.integers(0, 2**64 - 1)),
    )
    if draw(st.booleans()):
        types = [*request.filter.item_types] or TYPES
        least = draw(st.integers(0, k // 2))
        request.quotas.add(item_type=types[0], min=least)
        if len(types) > 1:
            request.quotas.add(item_type=types[1], min=draw(st.integers(0, k // 2)))
    return number, request


usual = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@usual
@given(any_request())
def test_there_are_k_hits_whenever_k_items_pass(
    answers: Answers, world: TinyWorld, drawn: tuple[int, pb.RecommendRequest]
) -> None:
    number, request = drawn
    (answer,) = answers.recommend(request)
    there = left(answers, world, number, request)
    assert len(ids(answer)) == len(set(ids(answer))) == min(request.k, len(there))
    assert set(ids(answer)) <= there
    short = {notice.kind for notice in answer.notices} & {NoticeKind.FEWER_THAN_K}
    assert bool(short) == (len(there) < request.k)
    for quota in request.quotas:
        count = sum(each.startswith(quota.item_type) for each in ids(answer))
        exist = sum(each.startswith(quota.item_type) for each in there)
        assert count >= min(quota.min, exist)


@usual
@given(any_request(), st.integers(1, 30), st.integers(1, 30))
def test_pages_are_the_long_list_cut_into_pieces(
    answers: Answers, drawn: tuple[int, pb.RecommendRequest], size: int, other: int
) -> None:
    _, request = drawn
    (whole,) = answers.recommend(request)
    paged = pb.RecommendRequest(page_size=size)
    paged.MergeFrom(request)
    pieces: list[str] = []
    while True:
        (page,) = answers.recommend(paged)
        assert len(ids(page)) == min(paged.page_size or size, len(ids(whole)) - len(pieces))
        pieces += ids(page)
        if not page.next_page_token:
            break
        assert generation_of(page.next_page_token) == answers.generation.name
        paged.page_token = page.next_page_token
        paged.page_size = size = other
    assert pieces == ids(whole)


@usual
@given(st.lists(any_request(), min_size=1, max_size=8))
def test_batch_answers_as_the_singles_do(
    answers: Answers, drawn: list[tuple[int, pb.RecommendRequest]]
) -> None:
    requests = [request for _, request in drawn]
    together = answers.recommend(*requests)
    for request, answer in zip(requests, together, strict=True):
        (alone,) = answers.recommend(request)
        assert ids(alone) == ids(answer)
        assert alone.notices == answer.notices


def test_same_seed_gives_the_same_answer_and_the_answer_tells_the_seed(answers: Answers) -> None:
    request = pb.RecommendRequest(user=known(3), exploration=1.0)
    (first,) = answers.recommend(request)
    (second,) = answers.recommend(request)
    assert first.seed is not None
    assert first.seed != second.seed
    request.seed = first.seed
    (again,) = answers.recommend(request)
    assert (ids(again), again.seed) == (ids(first), first.seed)
    assert ids(again) != ids(second)


def test_pages_of_a_seed_that_was_made_up_follow_each_other(answers: Answers) -> None:
    request = pb.RecommendRequest(user=known(3), exploration=1.0, page_size=4)
    (first,) = answers.recommend(request)
    request.page_token = first.next_page_token
    (second,) = answers.recommend(request)
    whole = pb.RecommendRequest(user=known(3), exploration=1.0, seed=first.seed, k=10)
    assert [*ids(first), *ids(second)] == ids(answers.recommend(whole)[0])[:8]
    assert second.seed == first.seed


def hits(answer: Recommendation) -> list[Any]:
    return [hit for each in answer.lists for hit in each.hits]


def test_quotas_that_ask_for_nothing_change_nothing(answers: Answers) -> None:
    """To the last bit of every score."""
    plain = pb.RecommendRequest(user=known(2), k=20)
    with_quotas = pb.RecommendRequest(
        user=known(2), k=20, quotas=[pb.TypeQuota(item_type=each, max=20) for each in TYPES]
    )
    (one,), (other,) = answers.recommend(plain), answers.recommend(with_quotas)
    assert hits(one) == hits(other)


def test_quotas_bound_the_types(answers: Answers) -> None:
    plain = pb.RecommendRequest(user=known(2))
    (usual_mix,) = answers.recommend(plain)
    usual_count = sum(each.startswith("audiobook") for each in ids(usual_mix))
    for least in (usual_count + 1, 9, 10):
        request = pb.RecommendRequest(
            user=known(2), quotas=[pb.TypeQuota(item_type="audiobook", min=least)]
        )
        (answer,) = answers.recommend(request)
        assert sum(each.startswith("audiobook") for each in ids(answer)) == least
        scores = [hit.score for hit in hits(answer)]
        assert scores == sorted(scores, reverse=True)
    capped = pb.RecommendRequest(user=known(2), quotas=[pb.TypeQuota(item_type="podcast", max=0)])
    assert not any(each.startswith("podcast") for each in ids(answers.recommend(capped)[0]))


def test_minimum_that_cannot_be_met_is_said(answers: Answers) -> None:
    request = pb.RecommendRequest(
        user=known(2),
        filter=pb.ItemFilter(exclude_item_ids=[f"audiobook-{n:02d}" for n in range(1, 30)]),
        quotas=[pb.TypeQuota(item_type="audiobook", min=4)],
    )
    (answer,) = answers.recommend(request)
    (notice,) = answer.notices
    assert (notice.kind, notice.field) == (NoticeKind.QUOTA_UNMET, "quotas[0].min")
    assert len(ids(answer)) == 10


def test_maximums_may_make_the_list_shorter(answers: Answers) -> None:
    request = pb.RecommendRequest(
        user=known(2), quotas=[pb.TypeQuota(item_type=each, max=2) for each in TYPES]
    )
    (answer,) = answers.recommend(request)
    assert len(ids(answer)) == 4
    assert [notice.kind for notice in answer.notices] == [NoticeKind.FEWER_THAN_K]
    assert "the quotas allow only 4" in answer.notices[0].message


def test_diversity_keeps_the_best_first_and_spreads_the_rest(
    answers: Answers, generation: Generation
) -> None:
    def alike(trade_off: float) -> tuple[str, float]:
        request = pb.RecommendRequest(user=known(4), diversity=trade_off)
        found = ids(answers.recommend(request)[0])
        vectors = generation.item_vectors[generation.item_ids.lookup(found)]
        return found[0], float((vectors @ vectors.T)[~np.eye(10, dtype=bool)].mean())

    (best, plain), (first, spread) = alike(0), alike(1)
    assert best == first
    assert spread < plain - 0.05


def test_people_without_a_history_get_diverse_and_explored_lists_too(answers: Answers) -> None:
    request = pb.RecommendRequest(diversity=0.5, exploration=1.0, seed=1)
    request.quotas.add(item_type="audiobook", min=5)
    (answer,) = answers.recommend(request)
    assert len(ids(answer)) == 10
    assert sum(each.startswith("audiobook") for each in ids(answer)) >= 5
    (plain,) = answers.recommend(pb.RecommendRequest())
    assert ids(answer) != ids(plain)
    assert all(hit.score >= 0 for hit in hits(answer))


def test_propensity_is_given_where_it_is_known(answers: Answers) -> None:
    explored = pb.RecommendRequest(user=known(5), k=50, exploration=0.2, seed=8)
    (answer,) = answers.recommend(explored)
    scores = np.array([hit.score for hit in hits(answer)], dtype=np.float64)
    chances = [hit.propensity for hit in hits(answer)]
    worth = np.exp(scores / 0.2)
    expected = [worth[place] / worth[place:].sum() for place in range(50)]
    np.testing.assert_allclose(chances, expected, rtol=1e-4)
    for other in (
        pb.RecommendRequest(user=known(5)),
        pb.RecommendRequest(user=known(5), exploration=0.2, diversity=0.1),
    ):
        assert {hit.propensity for hit in hits(answers.recommend(other)[0])} == {None}


def test_hits_of_every_kind_of_list_are_explained(answers: Answers, world: TinyWorld) -> None:
    heard = {world.item_ids[row] for row in world.histories[6]}
    request = pb.RecommendRequest(
        user=known(6), k=12, diversity=0.5, exploration=0.5, seed=2, explain=True, page_size=6
    )
    request.quotas.add(item_type="podcast", min=3)
    explained = 0
    for _ in range(2):
        (page,) = answers.recommend(request)
        for hit in hits(page):
            assert {path.item_id for path in hit.paths} <= heard
            assert all(path.users > 0 or path.relation == "creator" for path in hit.paths)
            explained += bool(hit.paths)
        request.page_token = page.next_page_token
    assert explained > 6


def test_calibrated_scores_are_shares_where_shares_are_right(
    generation: Generation, engine: Engine
) -> None:
    right = Answers.of(varied(generation), engine, Calibration((1.0, 1.0), (0.0, 0.0)))
    for request in (
        pb.RecommendRequest(user=known(7), k=50),
        pb.RecommendRequest(user=known(7), k=50, grouping=types_pb2.GROUPING_PER_TYPE),
        pb.RecommendRequest(user=known(7), k=50, quotas=[pb.TypeQuota(item_type="podcast", min=1)]),
    ):
        (answer,) = right.recommend(request)
        scores = np.array([hit.score for hit in hits(answer)], dtype=np.float64)
        shares = np.exp(scores) / np.exp(scores).sum()  # all fifty that are not seen are there
        np.testing.assert_allclose([hit.calibrated for hit in hits(answer)], shares, rtol=1e-5)


def test_nobody_knows_chances_without_calibration_or_history(
    answers: Answers, generation: Generation, engine: Engine
) -> None:
    right = Answers.of(generation, engine, Calibration((1.0, 1.0), (0.0, 0.0)))
    for found in (
        answers.recommend(pb.RecommendRequest(user=known(7)))[0],
        right.recommend(pb.RecommendRequest())[0],
    ):
        assert {hit.calibrated for hit in hits(found)} == {None}
    similar = right.similar(pb.FindSimilarItemsRequest(item_id="podcast-01"))
    assert {hit.calibrated for each in similar.lists for hit in each.hits} == {None}


@usual
@given(any_filter(), st.integers(1, 60), st.integers(1, 60))
def test_similar_items_are_filtered_and_paged_as_recommendations_are(
    answers: Answers, asked: pb.ItemFilter, k: int, size: int
) -> None:
    request = pb.FindSimilarItemsRequest(item_id="podcast-09", k=k, filter=asked)
    whole = answers.similar(request)
    there = {
        answers.generation.item_ids.id(row)
        for row in range(60)
        if row != 39 and passes(answers.generation, row, asked)
    }
    assert len(ids(whole)) == min(k, len(there))
    assert set(ids(whole)) <= there
    request.page_size = size
    pieces: list[str] = []
    for _ in range(60):
        page = answers.similar(request)
        pieces += ids(page)
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert pieces == ids(whole)


def violations(answers: Answers, request: pb.RecommendRequest) -> set[str]:
    with pytest.raises(InvalidRequestError) as caught:
        answers.recommend(request)
    return {each.field for each in caught.value.violations}


def test_token_is_good_for_its_own_request_alone(answers: Answers) -> None:
    request = pb.RecommendRequest(user=known(1), k=10, page_size=4)
    token = answers.recommend(request)[0].next_page_token
    for other in (
        pb.RecommendRequest(user=known(2), k=10, page_token=token),
        pb.RecommendRequest(user=known(1), k=9, page_token=token),
        pb.RecommendRequest(user=known(1), k=10, page_token=token, diversity=0.1),
        pb.RecommendRequest(user=known(1), k=10, page_token=token[:-1]),
        pb.RecommendRequest(user=known(1), k=10, page_token="nonsense"),
        pb.RecommendRequest(user=known(1), k=10, page_token=read_page(token).next().next().write()),
    ):
        assert violations(answers, other) == {"page_token"}
    alike = pb.RecommendRequest(user=known(1), k=10, page_token=token, request_id="another")
    assert len(ids(answers.recommend(alike)[0])) == 4


def test_page_of_another_generation_has_expired(answers: Answers) -> None:
    request = pb.RecommendRequest(user=known(1), page_size=4)
    page = read_page(answers.recommend(request)[0].next_page_token)
    request.page_token = replace(page, generation="0123456789abcdef").write()
    with pytest.raises(PageExpiredError) as caught:
        answers.recommend(request)
    assert caught.value.generation == "0123456789abcdef"
    assert caught.value.expected == answers.generation.name
