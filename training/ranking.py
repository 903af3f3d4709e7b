"""Scores of a fitted ranker -> the rank of each held-out target in its full list of candidates.

Always full ranking: a target competes with every candidate, never with a sample.

- Candidates are the items of the target's type (`Scope.TYPE`), all items (`Scope.ALL`), or the
  items of the target's type that are absent from training (`Scope.UNSEEN`).
- What the person chose before or turned away from is never a candidate, as in serving; what a weak
  signal alone touched is one. A target that is barred itself can then not be found; it stays in and
  counts as a miss (`UNRANKED`), for every model alike.
- Ties in score go against the target: its rank is the number of candidates that score at least
  as high. A ranker that scores everything the same finds nothing.
- The top list, which coverage reads, breaks ties by row, as the service does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.build import popularity
from graph.cases import Cases, learned_items
from tables.dataset import Dataset
from training.errors import TrainingError
from training.metrics import DEPTH, UNRANKED


class RankingError(TrainingError):
    """A ranker answered with scores that cannot be ranked."""


class Ranker(Protocol):
    """Something fitted that can score the whole catalogue for a case.

    How it was fitted is its own affair: the constructor or a `fit` class method takes training
    data and returns a finished ranker, so that an unfitted one does not exist. A ranker may look
    at a case's user and history, never at its target.
    """

    @property
    def name(self) -> str:
        """What the tables call it; unique in one evaluation."""
        ...

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Score every item for every case; higher is better, all finite.

        Shapes:
            returns: (C, N) float32. The caller does not write into it.
        """
        ...


@runtime_checkable
class SelectiveRanker(Ranker, Protocol):
    """A ranker that finds others where only some items are asked for, as a server with a filter."""

    def score_among(self, cases: Cases, admitted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Score every item for every case, of whom some items alone are asked for.

        Shapes:
            admitted: (N,). returns: (C, N) float32, all finite.
        """
        ...


class Scope(StrEnum):
    """Which items a target is ranked among."""

    TYPE = "type"
    ALL = "all"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class Candidates:
    """The items that compete, each type one contiguous slice of rows.

    Shapes:
        item_type: (N,) int64, ascending, an index into `item_types`.
        popularity: (N,) int64, how many people chose the item in training.
        trained: (N,) bool, whether the item was there to learn from, by a strong or a weak signal.

    Raises:
        ValueError: the arrays differ in length, or rows of one type are not contiguous.
    """

    item_types: tuple[str, ...]
    item_type: NDArray[np.int64]
    popularity: NDArray[np.int64]
    trained: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not len(self.item_type) == len(self.popularity) == len(self.trained):
            raise ValueError(
                f"item_type has {len(self.item_type)} rows, popularity {len(self.popularity)}, "
                f"trained {len(self.trained)}"
            )
        if len(self.item_type) and np.any(np.diff(self.item_type) < 0):
            raise ValueError("items must be sorted by type, so that each type is one slice of rows")

    @classmethod
    def of(cls, dataset: Dataset, train: pl.DataFrame) -> Self:
        """Take a data set's items; people chose those they have a strong row with in `train`."""
        items = len(dataset.items)
        return cls(
            dataset.item_types,
            dataset.item_type,
            popularity(train, items),
            learned_items(train, items),
        )

    def __len__(self) -> int:
        return len(self.item_type)

    def rows(self, item_type: int) -> NDArray[np.int64]:
        """Rows of one type, ascending."""
        start, stop = np.searchsorted(self.item_type, [item_type, item_type + 1])
        return np.arange(start, stop)


@dataclass(frozen=True)
class Ranking:
    """Where the targets came, and the head of each list.

    Shapes:
        rank: (C,) int64, 1 is best; `UNRANKED` where the target was not among the candidates.
        top: (C, DEPTH) int32, item rows best first, -1 where the list is shorter.
    """

    rank: NDArray[np.int64]
    top: NDArray[np.int32]


def rank(
    ranker: Ranker,
    cases: Cases,
    candidates: Candidates,
    scopes: Sequence[Scope] = (Scope.TYPE,),
    *,
    tops: bool = True,
    chunk: int = 512,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[Scope, Ranking]:
    """Rank every case's target in every scope, a chunk of cases at a time.

    Memory is a few (chunk, N) arrays of float32 whatever the number of cases; the scores of a
    chunk are computed once for all scopes, and once for neighbouring cases of one person that
    share history and barred items. A `SelectiveRanker` scores once more for `Scope.UNSEEN`. Without
    `tops` the lists stay empty. Under `Scope.UNSEEN` a case whose target occurs in training is
    `UNRANKED`.

    Raises:
        RankingError: the scores have the wrong shape or are not finite.
    """
    total = len(cases)
    rankings = {
        scope: Ranking(
            rank=np.full(total, UNRANKED, dtype=np.int64),
            top=np.full((total, DEPTH), -1, dtype=np.int32),
        )
        for scope in scopes
    }
    for start in range(0, total, chunk):
        part = cases.take(np.arange(start, min(start + chunk, total)))
        first, run = part.runs()
        askers = part.take(first)
        for_all = _checked(ranker.name, ranker.score(askers), len(askers), candidates)
        barred = np.zeros(for_all.shape, dtype=np.bool_)
        barred[askers.barred_places()] = True
        for scope in scopes:
            scores = for_all
            if scope is Scope.UNSEEN and isinstance(ranker, SelectiveRanker):
                wanted = np.unique(run[~candidates.trained[part.target]])
                scores = _of_unseen(ranker, askers, wanted, for_all, candidates)
            for rows, pool_rows in _pools(scope, part.target, candidates):
                asked = np.ix_(run[rows], pool_rows)
                pool = scores[asked]  # a copy
                pool[barred[asked]] = -np.inf
                ranking = rankings[scope]
                ranking.rank[start + rows] = _target_ranks(pool, pool_rows, part.target[rows])
                if tops:
                    ranking.top[start + rows] = _top_rows(pool, pool_rows)
        if on_progress is not None:
            on_progress(min(start + chunk, total), total)
    return rankings


def _of_unseen(
    ranker: SelectiveRanker,
    askers: Cases,
    wanted: NDArray[np.int64],
    for_all: NDArray[np.float32],
    candidates: Candidates,
) -> NDArray[np.float32]:
    """Score anew, for unseen items alone, the cases that ask for one.

    Shapes:
        wanted: (w,), positions of `askers`. for_all, returns: (c, N).
    """
    if not len(wanted):
        return for_all
    scores = for_all.copy()
    said = ranker.score_among(askers.take(wanted), ~candidates.trained)
    scores[wanted] = _checked(ranker.name, said, len(wanted), candidates)
    return scores


def _checked(
    name: str, scores: NDArray[np.float32], cases: int, candidates: Candidates
) -> NDArray[np.float32]:
    expected = (cases, len(candidates))
    if scores.shape != expected:
        raise RankingError(f"{name}: expected scores of shape {expected}, got {scores.shape}")
    if not np.isfinite(scores).all():
        count = int((~np.isfinite(scores)).sum())
        raise RankingError(f"{name}: expected finite scores, got {count} that are not")
    return scores


def _pools(
    scope: Scope, target: NDArray[np.int64], candidates: Candidates
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield cases that are ranked among the same items, and the rows of those items, ascending."""
    if scope is Scope.ALL:
        yield np.arange(len(target)), np.arange(len(candidates))
        return
    admitted = ~candidates.trained if scope is Scope.UNSEEN else np.ones(len(candidates), np.bool_)
    target_type = np.where(admitted[target], candidates.item_type[target], -1)
    for item_type in np.unique(target_type[target_type >= 0]):
        rows = candidates.rows(int(item_type))
        yield np.flatnonzero(target_type == item_type), rows[admitted[rows]]


def _target_ranks(
    pool: NDArray[np.float32], pool_rows: NDArray[np.int64], target: NDArray[np.int64]
) -> NDArray[np.int64]:
    own = pool[np.arange(len(target)), np.searchsorted(pool_rows, target)]
    ranks = (pool >= own[:, None]).sum(axis=1, dtype=np.int64)
    return np.where(np.isneginf(own), UNRANKED, ranks)


def _top_rows(pool: NDArray[np.float32], pool_rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Find the best DEPTH items of each case, equal scores in the order of their rows.

    Shapes:
        pool: (c, n), -inf where a candidate is barred.
        pool_rows: (n,) item rows, ascending.
        returns: (c, DEPTH) int32, padded with -1.
    """
    cases, width = pool.shape
    depth = min(DEPTH, width)
    threshold = np.partition(pool, width - depth, axis=1)[:, width - depth, None]
    above = pool > threshold
    level = pool == threshold
    # Of those level with the last place, the first rows get in.
    room = depth - above.sum(axis=1, keepdims=True)
    taken = above | (level & (np.cumsum(level, axis=1) <= room))
    columns = np.nonzero(taken)[1].reshape(cases, depth)
    values = np.take_along_axis(pool, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    best = pool_rows[np.take_along_axis(columns, order, axis=1)]
    best[np.isneginf(np.take_along_axis(values, order, axis=1))] = -1

    top = np.full((cases, DEPTH), -1, dtype=np.int32)
    top[:, :depth] = best
    return top
