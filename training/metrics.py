"""Ranks of the held-out targets -> metrics per user -> means with bootstrap intervals.

A *list* is what one user would be shown in answer to one request; it may hold several targets of
that user (all of them count as relevant). Every user counts once: a user with several lists
brings the mean over them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TOP = 10
"""Cut of HR, NDCG and Recall."""
DEPTH = 100
"""Cut of MRR and of the deeper coverage; a target below it counts as not found."""
UNRANKED = int(np.iinfo(np.int32).max)
"""Rank of a target that cannot be found at all, because it was excluded from its list."""

HIT_RATE = f"HR@{TOP}"
NDCG = f"NDCG@{TOP}"
RECALL = f"Recall@{TOP}"
MRR_ALL = "MRR (all users)"
MRR_HIT = "MRR (users with a hit)"
USER_METRICS = (HIT_RATE, NDCG, RECALL, MRR_ALL, MRR_HIT)

_BLOCK = 4_000_000  # drawn user numbers held at a time by the bootstrap: 32 MB


@dataclass(frozen=True)
class UserValues:
    """The metrics of each user, as numerators and the weights to divide their sums by.

    Every weight is 1, except under `MRR_HIT`, where a user without a hit weighs 0.

    Shapes:
        users: (U,) int64, ascending.
        values, weights: (U, M) float64, columns as in `USER_METRICS`.
    """

    users: NDArray[np.int64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean over users and the ends of its interval, NaN where no user counts.

    Shapes:
        value, low, high: (M,) float64.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def user_values(
    rank: NDArray[np.int64], user: NDArray[np.int64], pool: NDArray[np.int64]
) -> UserValues:
    """Compute each user's metrics from the ranks of the targets.

    For a list with n targets at ranks r₁ … rₙ (1 is best):

        HR     = 1 if any r ≤ 10 else 0
        Recall = |{r ≤ 10}| / n
        NDCG   = Σ over r ≤ 10 of 1 / log₂(r + 1)  ÷  Σ over i ≤ min(n, 10) of 1 / log₂(i + 1)
        MRR    = 1 / min r if min r ≤ 100 else 0

    With one target per list HR and Recall are the same. `MRR_HIT` is MRR over those users only
    whose target is in the top 100; it flatters a model that finds few, so it is never to be read
    without HR beside it.

    Shapes:
        rank, user, pool: (C,); `user` and `pool` together name the list a target belongs to.

    Raises:
        ValueError: no target at all.
    """
    if len(rank) == 0:
        raise ValueError("metrics need at least one target, got none")
    users, user_number = np.unique(user, return_inverse=True)
    key = user_number * (int(pool.max()) + 1) + pool
    lists_seen, first, lists = np.unique(key, return_index=True, return_inverse=True)
    owner = user_number[first]  # (lists,)
    num_lists = len(lists_seen)

    targets = np.bincount(lists, minlength=num_lists)
    found = np.bincount(lists, weights=rank <= TOP, minlength=num_lists)
    gain = np.where(rank <= TOP, 1.0 / np.log2(rank + 1.0), 0.0)
    best = np.full(num_lists, UNRANKED, dtype=np.int64)
    np.minimum.at(best, lists, rank)
    ideal = np.cumsum(1.0 / np.log2(np.arange(2, TOP + 2)))
    reciprocal = np.where(best <= DEPTH, 1.0 / best, 0.0)

    per_list = np.stack(
        [
            (found > 0).astype(np.float64),
            np.bincount(lists, weights=gain, minlength=num_lists)
            / ideal[np.minimum(targets, TOP) - 1],
            found / targets,
            reciprocal,
            reciprocal,
        ],
        axis=1,
    )  # (lists, M)
    counts = np.ones_like(per_list)
    counts[:, -1] = best <= DEPTH

    values = np.zeros((len(users), len(USER_METRICS)))
    weights = np.zeros_like(values)
    np.add.at(values, owner, per_list)
    np.add.at(weights, owner, counts)
    values = np.divide(values, weights, out=np.zeros_like(values), where=weights > 0)
    return UserValues(users=users, values=values, weights=(weights > 0).astype(np.float64))


def bootstrap(
    values: NDArray[np.float64],
    weights: NDArray[np.float64],
    *,
    replicates: int,
    seed: int,
    level: float = 0.95,
) -> Estimate:
    """Mean of each column with its percentile-bootstrap interval over users.

    Users are drawn with replacement, all columns together; the same seed draws the same users, so
    columns that hold several models' values of the same users stay paired. Where every user has
    the same value (no hit at all, say) the interval shrinks to that value, which is then no
    measure of certainty.

    Shapes:
        values, weights: (U, M), weights ≥ 0; a column's mean is Σ value·weight / Σ weight.
    """
    users, columns = values.shape
    weighted = values * weights
    draws = np.empty((replicates, columns))
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // users)
    for start in range(0, replicates, step):
        rows = min(step, replicates - start)
        drawn = rng.integers(0, users, size=(rows, users))
        drawn += np.arange(rows)[:, None] * users
        times = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        draws[start : start + rows] = _ratio(times @ weighted, times @ weights)
    tail = (1.0 - level) / 2.0
    ends = np.array([_quantiles(column, tail) for column in draws.T]).reshape(columns, 2)
    value = _ratio(weighted.sum(axis=0), weights.sum(axis=0))
    return Estimate(value=value, low=ends[:, 0], high=ends[:, 1])


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio: NDArray[np.float64] = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def _quantiles(column: NDArray[np.float64], tail: float) -> tuple[float, float]:
    # A redraw without a single user that counts says nothing about the mean over such users.
    defined = column[~np.isnan(column)]
    if len(defined) == 0:
        return (float("nan"), float("nan"))
    low, high = np.quantile(defined, [tail, 1.0 - tail])
    return (float(low), float(high))
