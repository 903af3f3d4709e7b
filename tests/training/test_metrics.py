"""Metrics against numbers worked out by hand and against a slow second way."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from training.metrics import (
    HIT_RATE,
    MRR_ALL,
    MRR_HIT,
    NDCG,
    RECALL,
    UNRANKED,
    USER_METRICS,
    UserValues,
    bootstrap,
    user_values,
)


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


def means(values: UserValues) -> dict[str, float]:
    estimate = bootstrap(values.values, values.weights, replicates=2, seed=0)
    return dict(zip(USER_METRICS, estimate.value.tolist(), strict=True))


def test_four_users_with_one_target_each() -> None:
    got = means(user_values(ints(1, 3, 11, 150), ints(0, 1, 2, 3), ints(0, 0, 0, 0)))
    assert got[HIT_RATE] == pytest.approx(2 / 4)
    assert got[NDCG] == pytest.approx((1 + 1 / 2) / 4)
    assert got[RECALL] == got[HIT_RATE]
    assert got[MRR_ALL] == pytest.approx((1 + 1 / 3 + 1 / 11) / 4)
    assert got[MRR_HIT] == pytest.approx((1 + 1 / 3 + 1 / 11) / 3)


@pytest.mark.parametrize(("rank", "hit", "reciprocal"), [(10, 1.0, 0.1), (11, 0.0, 1 / 11)])
def test_the_tenth_place_is_the_last_hit(rank: int, hit: float, reciprocal: float) -> None:
    got = means(user_values(ints(rank), ints(0), ints(0)))
    assert got[HIT_RATE] == hit
    assert got[MRR_ALL] == pytest.approx(reciprocal)


@pytest.mark.parametrize(("rank", "reciprocal"), [(100, 0.01), (101, 0.0), (UNRANKED, 0.0)])
def test_reciprocal_rank_ends_at_the_hundredth_place(rank: int, reciprocal: float) -> None:
    got = means(user_values(ints(rank), ints(0), ints(0)))
    assert got[MRR_ALL] == pytest.approx(reciprocal)


def test_two_targets_of_one_list_share_its_ideal() -> None:
    got = means(user_values(ints(2, 40), ints(7, 7), ints(0, 0)))
    assert got[HIT_RATE] == 1.0
    assert got[RECALL] == 0.5
    assert got[NDCG] == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))
    assert got[MRR_ALL] == 0.5


def test_a_user_with_two_lists_counts_once() -> None:
    values = user_values(ints(1, UNRANKED, UNRANKED), ints(5, 5, 9), ints(0, 1, 0))
    assert values.users.tolist() == [5, 9]
    got = means(values)
    assert got[HIT_RATE] == 0.25
    assert got[MRR_HIT] == 1.0


def test_metrics_agree_with_loops_over_random_lists() -> None:
    rng = np.random.default_rng(3)
    rank = rng.integers(1, 140, 600)
    user = rng.integers(0, 60, 600)
    pool = rng.integers(0, 3, 600)
    got = means(user_values(rank, user, pool))
    slow = slow_means(rank.tolist(), user.tolist(), pool.tolist())
    assert got == pytest.approx(slow)
    assert got[RECALL] < got[HIT_RATE]


def slow_means(rank: list[int], user: list[int], pool: list[int]) -> dict[str, float]:
    per_user: dict[int, list[dict[str, float]]] = {}
    for who, kind in sorted(set(zip(user, pool, strict=True))):
        rows = zip(rank, user, pool, strict=True)
        ranks = sorted(place for place, u, p in rows if (u, p) == (who, kind))
        shown = [1.0 if place in ranks else 0.0 for place in range(1, 11)]
        gain = sum(ranks.count(i) / math.log2(i + 1) for i in range(1, 11))
        ideal = sum(1 / math.log2(i + 1) for i in range(1, min(10, len(ranks)) + 1))
        found = {
            HIT_RATE: max(shown),
            NDCG: gain / ideal,
            RECALL: sum(place <= 10 for place in ranks) / len(ranks),
            MRR_ALL: 1 / ranks[0] if ranks[0] <= 100 else 0.0,
        }
        per_user.setdefault(who, []).append(found)
    result = {
        metric: float(np.mean([np.mean([one[metric] for one in of]) for of in per_user.values()]))
        for metric in (HIT_RATE, NDCG, RECALL, MRR_ALL)
    }
    hits = [[one[MRR_ALL] for one in of if one[MRR_ALL] > 0] for of in per_user.values()]
    result[MRR_HIT] = float(np.mean([np.mean(found) for found in hits if found]))
    return result


def test_no_target_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one target"):
        user_values(ints(), ints(), ints())


def test_interval_covers_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(11)
    covered = 0
    for seed in range(400):
        hits = (rng.random((300, 1)) < 0.2).astype(np.float64)
        estimate = bootstrap(hits, np.ones_like(hits), replicates=300, seed=seed)
        covered += int(estimate.low[0] <= 0.2 <= estimate.high[0])
    assert 0.91 <= covered / 400 <= 0.98


def test_interval_of_many_users_is_the_normal_one_over_several_blocks() -> None:
    values = np.random.default_rng(2).normal(1.0, 2.0, (5000, 1))
    estimate = bootstrap(values, np.ones_like(values), replicates=2000, seed=4)
    half = 1.96 * values.std() / math.sqrt(5000)
    assert estimate.value[0] == pytest.approx(values.mean())
    assert estimate.low[0] == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert estimate.high[0] == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_weights_make_a_ratio_in_every_draw() -> None:
    values = np.array([[1.0], [0.5], [9.0]])
    weights = np.array([[1.0], [1.0], [0.0]])
    estimate = bootstrap(values, weights, replicates=500, seed=0)
    assert estimate.value[0] == 0.75
    assert (estimate.low[0], estimate.high[0]) == (0.5, 1.0)


def test_a_mean_over_nobody_is_not_a_number() -> None:
    estimate = bootstrap(np.zeros((4, 1)), np.zeros((4, 1)), replicates=10, seed=0)
    assert np.isnan([estimate.value[0], estimate.low[0], estimate.high[0]]).all()


def test_the_seed_decides_the_draws_and_columns_share_them() -> None:
    column = np.random.default_rng(1).random((50, 1))
    both = np.concatenate([column, column], axis=1)
    first = bootstrap(both, np.ones_like(both), replicates=200, seed=1)
    again = bootstrap(both, np.ones_like(both), replicates=200, seed=1)
    other = bootstrap(both, np.ones_like(both), replicates=200, seed=2)
    assert first.low[0] == first.low[1]
    assert first.low[0] == again.low[0]
    assert first.low[0] != other.low[0]
