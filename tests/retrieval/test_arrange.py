"""Lists against oracles that try or compute everything the slow way."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.arrange import RANKED, Arrangement, Pool, arrange
from retrieval.explore import Exploration
from retrieval.quota import Quota


def make_pool(seed: int, count: int, types: int = 3) -> Pool:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 4)).astype(np.float32)
    return Pool(
        rows=np.sort(rng.choice(1000, count, replace=False)),
        item_type=rng.integers(0, types, count),
        relevance=np.sort(rng.integers(0, 20, count).astype(np.float64))[::-1],
        vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
    )


pools = st.builds(make_pool, st.integers(0, 10_000), st.integers(1, 9))
quotas = st.lists(
    st.builds(
        lambda item_type, least, more: Quota(
            item_type, least, None if more is None else least + more
        ),
        st.integers(0, 3),
        st.integers(0, 4),
        st.none() | st.integers(0, 3),
    ),
    max_size=3,
    unique_by=lambda quota: quota.item_type,
).map(tuple)


def feasible(pool: Pool, wish: Sequence[Quota], k: int) -> list[tuple[int, ...]]:
    """Every set of the most candidates that no maximum forbids and that meets what can be met."""
    there = np.bincount(pool.item_type, minlength=4)
    sets: list[tuple[int, ...]] = []
    for size in range(min(k, len(pool.rows)), -1, -1):
        for chosen in combinations(range(len(pool.rows)), size):
            counts = np.bincount(pool.item_type[[*chosen]], minlength=4)
            if all(
                min(quota.least, there[quota.item_type]) <= counts[quota.item_type]
                and (quota.most is None or counts[quota.item_type] <= quota.most)
                for quota in wish
            ):
                sets.append(chosen)
        if sets:
            break
    return sets


@settings(max_examples=200, deadline=None)
@given(pools, quotas, st.integers(1, 6))
def test_quotas_give_the_best_list_that_keeps_them(
    pool: Pool, wish: tuple[Quota, ...], k: int
) -> None:
    assume(sum(quota.least for quota in wish) <= k)
    places = arrange(pool, k, Arrangement(quotas=wish)).places.tolist()
    best = max(pool.relevance[[*each]].sum() for each in feasible(pool, wish, k))
    assert tuple(sorted(places)) in feasible(pool, wish, k)
    assert pool.relevance[places].sum() == best
    assert places == sorted(places)  # best first


def mmr(pool: Pool, k: int, trade_off: float) -> list[int]:
    """The formula, in plain Python."""
    low, high = pool.relevance.min(), pool.relevance.max()
    chosen: list[int] = []
    while len(chosen) < min(k, len(pool.rows)):
        values = {}
        for place in range(len(pool.rows)):
            if place in chosen:
                continue
            relevance = (pool.relevance[place] - low) / (high - low) if high > low else 1.0
            closest = max((float(pool.vectors[place] @ pool.vectors[c]) for c in chosen), default=0)
            values[place] = (1 - trade_off) * relevance - trade_off * closest
        chosen.append(max(values, key=lambda place: (round(values[place], 5), -place)))
    return chosen


@settings(max_examples=200, deadline=None)
@given(pools, st.integers(1, 9), st.sampled_from((0.1, 0.5, 0.9, 1.0)))
def test_diversity_is_the_formula(pool: Pool, k: int, trade_off: float) -> None:
    got = arrange(pool, k, Arrangement(diversity=trade_off)).places.tolist()
    wanted = mmr(pool, k, trade_off)
    assert got == wanted or _as_good(pool, got, wanted, trade_off)


def _as_good(pool: Pool, got: list[int], wanted: list[int], trade_off: float) -> bool:
    """Tell whether two lists differ by rounding alone: where they part, the values are equal."""
    place = next(n for n, pair in enumerate(zip(got, wanted, strict=True)) if pair[0] != pair[1])
    low, span = pool.relevance.min(), np.ptp(pool.relevance) or 1.0

    def value(candidate: int) -> float:
        closest = max(float(pool.vectors[candidate] @ pool.vectors[c]) for c in got[:place])
        relevance = float((pool.relevance[candidate] - low) / span)
        return (1 - trade_off) * relevance - trade_off * closest

    return abs(value(got[place]) - value(wanted[place])) < 1e-4


@settings(max_examples=100, deadline=None)
@given(pools, st.integers(1, 12))
def test_without_a_wish_the_best_come_as_they_are(pool: Pool, k: int) -> None:
    assert arrange(pool, k, RANKED).places.tolist() == list(range(min(k, len(pool.rows))))
    assert RANKED.ranks_only
    assert RANKED.pool_size(k) == k


@pytest.mark.parametrize("trade_off", [0.0, 0.4])
def test_quotas_hold_with_diversity_and_exploration(trade_off: float) -> None:
    pool = make_pool(1, 200)
    wish = Arrangement((Quota(0, 4), Quota(1, 0, 2)), trade_off, Exploration(5.0, 3))
    for seed in range(20):
        again = Arrangement(wish.quotas, trade_off, Exploration(5.0, seed))
        arranged = arrange(pool, 10, again)
        counts = np.bincount(pool.item_type[arranged.places], minlength=3)
        assert counts.sum() == 10
        assert counts[0] >= 4
        assert counts[1] <= 2
        assert arranged.propensity is None


def test_more_diversity_makes_a_list_less_alike() -> None:
    pool = make_pool(5, 300)

    def alike(trade_off: float) -> float:
        vectors = pool.vectors[arrange(pool, 10, Arrangement(diversity=trade_off)).places]
        return float((vectors @ vectors.T)[~np.eye(10, dtype=bool)].mean())

    assert alike(1.0) < alike(0.5) < alike(0.0)


def test_equal_seeds_give_equal_lists_and_others_give_others() -> None:
    pool = make_pool(2, 100)
    lists = [
        arrange(pool, 10, Arrangement(exploration=Exploration(5.0, seed))).places.tolist()
        for seed in (1, 1, 2, 3)
    ]
    assert lists[0] == lists[1]
    assert len({tuple(each) for each in lists}) == 3


def test_propensity_of_the_first_place_is_the_softmax() -> None:
    pool = make_pool(3, 50)
    arranged = arrange(pool, 5, Arrangement(exploration=Exploration(4.0, 9)))
    softmax: NDArray[np.float64] = np.exp(pool.relevance / 4) / np.exp(pool.relevance / 4).sum()
    assert arranged.propensity is not None
    assert arranged.propensity[0] == pytest.approx(softmax[arranged.places[0]])


def test_pool_is_ten_times_k_and_at_most_300_more() -> None:
    wish = Arrangement(diversity=0.1)
    assert [wish.pool_size(k) for k in (1, 10, 33, 34, 1000)] == [10, 100, 330, 334, 1300]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Arrangement(diversity=1.1),
        lambda: Arrangement(diversity=float("nan")),
        lambda: Arrangement(quotas=(Quota(1), Quota(1, 2))),
        lambda: Quota(1, 3, 2),
        lambda: Quota(1, -1),
    ],
)
def test_impossible_wishes_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="expected"):
        wrong()  # type: ignore[operator]  # each of them is a function
