"""What a slice's users are shown -> how popular, concentrated and mixed it is, as measurements.

Only the lists count here, not what was found in them. A list that holds several targets of its
user counts once; a user with several lists brings the mean over them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from graph.cases import Cases, ranges
from training import metrics
from training.exposure import coverage, gini, miscalibration, mixes
from training.measurement import (
    CASES,
    COVERAGE,
    GINI,
    HISTORY_SHARE,
    MISCALIBRATION,
    POPULARITY,
    SHARE,
    TARGET_POPULARITY,
    TARGET_SHARE,
    Measurement,
)
from training.popularity import percentiles
from training.ranking import Candidates, Ranking, Scope
from training.slices import Slice


@dataclass(frozen=True)
class _Lists:
    """The lists of a slice, each once.

    Shapes:
        case: (L,), a case of each list. owner: (L,), a number of its user, 0 … users - 1.
        target: (C,), the targets in the slice. target_owner: (C,).
    """

    case: NDArray[np.int64]
    owner: NDArray[np.int64]
    target: NDArray[np.int64]
    target_owner: NDArray[np.int64]
    users: int

    @classmethod
    def of(cls, part: Slice, cases: Cases, candidates: Candidates) -> Self:
        chosen = np.flatnonzero(part.chosen)
        users, owner = np.unique(cases.user_row[chosen], return_inverse=True)
        target = cases.target[chosen]
        pool = pools(part, target, candidates)
        _, first = np.unique(owner * len(candidates.item_types) + pool, return_index=True)
        return cls(chosen[first], owner[first], target, owner, len(users))


@dataclass(frozen=True)
class _Columns:
    """Numbers per user, to be averaged. Shapes: values, weights (U, M)."""

    names: tuple[tuple[str, str], ...]
    """Model and metric of each column."""
    values: NDArray[np.float64]
    weights: NDArray[np.float64]


def pools(part: Slice, target: NDArray[np.int64], candidates: Candidates) -> NDArray[np.int64]:
    """Number the list that a target is in: one per type, or one over all types."""
    pool = candidates.item_type[target]
    return np.zeros_like(pool) if part.scope is Scope.ALL else pool


def measure_delivered(
    part: Slice,
    rankings: Mapping[str, Mapping[Scope, Ranking]],
    cases: Cases,
    candidates: Candidates,
    *,
    replicates: int,
    seed: int,
) -> Iterator[Measurement]:
    """Measure coverage, popularity and Gini coefficient of each model's lists on a slice.

    Where lists hold all types their mix is measured too, beside that of the histories and
    of the targets. Means over users have intervals; coverage and Gini are counts and have none.
    """
    lists = _Lists.of(part, cases, candidates)
    tops = {name: each[part.scope].top[lists.case] for name, each in rankings.items()}
    columns = [_popularity(lists, tops, candidates)]
    if part.scope is Scope.ALL:
        columns.append(_mix(lists, tops, cases, candidates))
    yield from _means(part, columns, replicates=replicates, seed=seed)
    for name, top in tops.items():
        for depth, metric in COVERAGE.items():
            share = coverage(top[:, :depth], part.pool_size)
            yield Measurement(name, part.name, metric, share, None, None, lists.users)
        unequal = gini(top[:, : metrics.TOP], part.pool_size)
        yield Measurement(name, part.name, GINI, unequal, None, None, lists.users)


def _popularity(
    lists: _Lists, tops: Mapping[str, NDArray[np.int32]], candidates: Candidates
) -> _Columns:
    percentile = percentiles(candidates.popularity, candidates.item_type)
    names = [(CASES, TARGET_POPULARITY), *((name, POPULARITY) for name in tops)]
    means = [_mean_by_owner(percentile[lists.target], lists.target_owner, lists.users)]
    for top in tops.values():
        head = top[:, : metrics.TOP]
        there = head >= 0
        sums = np.where(there, percentile[head], 0.0).sum(axis=1)
        filled = np.flatnonzero(there.any(axis=1))
        by_list = sums[filled] / there.sum(axis=1)[filled]
        means.append(_mean_by_owner(by_list, lists.owner[filled], lists.users))
    values, weights = (np.stack(each, axis=1) for each in zip(*means, strict=True))
    return _Columns(tuple(names), values, weights)


def _mean_by_owner(
    values: NDArray[np.float64], owner: NDArray[np.int64], users: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average what each user has; with the weight 0 for a user who has nothing."""
    count = np.bincount(owner, minlength=users)
    mean = np.bincount(owner, weights=values, minlength=users) / np.maximum(count, 1)
    return mean, (count > 0).astype(np.float64)


def _mix(
    lists: _Lists, tops: Mapping[str, NDArray[np.int32]], cases: Cases, candidates: Candidates
) -> _Columns:
    types = candidates.item_types
    starts, ends = cases.history_indptr[:-1][lists.case], cases.history_indptr[1:][lists.case]
    indptr, flat = ranges(starts, ends)
    history_owner = np.repeat(lists.owner, np.diff(indptr))

    def mix(owner: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return mixes(owner, candidates.item_type[rows], lists.users, len(types))

    consumed = mix(history_owner, cases.history_rows[flat])
    blocks = [consumed, mix(lists.target_owner, lists.target)]
    names = [(CASES, share + each) for share in (HISTORY_SHARE, TARGET_SHARE) for each in types]
    weights = [_filled(block) for block in blocks]
    for name, top in tops.items():
        head = top[:, : metrics.TOP].astype(np.int64)
        owner = np.repeat(lists.owner, head.shape[1]).reshape(head.shape)
        shown = mix(owner[head >= 0], head[head >= 0])
        blocks += [shown, miscalibration(consumed, shown)[:, None]]
        both = _filled(shown)[:, :1] * _filled(consumed)[:, :1]
        weights += [_filled(shown), both]
        names += [*((name, SHARE + each) for each in types), (name, MISCALIBRATION)]
    return _Columns(tuple(names), np.concatenate(blocks, axis=1), np.concatenate(weights, axis=1))


def _filled(mix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weigh the users who have something to mix 1, the others 0. Shapes: as `mix`."""
    there = mix.sum(axis=1, keepdims=True) > 0
    return np.broadcast_to(there, mix.shape).astype(np.float64)


def _means(
    part: Slice, columns: list[_Columns], *, replicates: int, seed: int
) -> Iterator[Measurement]:
    """Average the columns that anybody counts in."""
    weights = np.concatenate([each.weights for each in columns], axis=1)
    values = np.concatenate([each.values for each in columns], axis=1)
    estimate = metrics.bootstrap(values, weights, replicates=replicates, seed=seed)
    users = (weights > 0).sum(axis=0)
    for column, (model, metric) in enumerate(name for each in columns for name in each.names):
        if users[column]:
            value, low, high = (
                float(each[column]) for each in (estimate.value, estimate.low, estimate.high)
            )
            yield Measurement(model, part.name, metric, value, low, high, int(users[column]))
