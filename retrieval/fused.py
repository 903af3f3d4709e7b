"""Both channels ranked together, for serving: the scores of `retrieval.evidence`, no columns.

The scorer is a weighted sum, so it is taken apart: what the history says along the edges is summed
up and weighed for every item that is reached, which is cheap; comparing vectors is not, and is done
for the candidates alone: the items nearest to the person and the `MOST_REACHED` of which the edges
say most.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from retrieval import kernels
from retrieval.evidence import (
    CLOSEST_AMONG,
    DECAYS,
    EDGE_KINDS,
    HISTORY_LENGTH,
    KINSHIP_DECAY,
    NAMES,
    NEAREST,
    OF_NEW,
    Catalogue,
    Person,
    affinity,
)
from retrieval.pairwise import heard
from retrieval.query import Query, Selection

MOST_REACHED = 500
"""Items of which the edges say most and whose vectors are looked at (ADR 22)."""
_FAINT = 1e-8
"""Below this share of the newest item, one of the history no longer moves a mean in float32."""
_LINEAR = 1e-4
_KINDS = len(EDGE_KINDS)
_EDGES = _KINDS * len(DECAYS)
_FADING = len(DECAYS) - 1
_LEAST_ROOM = 1 << 12
_CHUNK = 256  # rows copied at a time; with more of them a processor's cache overflows

Score = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Scores evidence, (M, F) to (M,)."""


@dataclass(frozen=True, eq=False)
class Weights:
    """What the scorer gives each column, of familiar items and of those that nobody chose yet.

    Shapes:
        edges, edges_of_new: (D, K). parts, parts_of_new: (4,), likeness, closest, kinship, text
            kinship.
    """

    edges: NDArray[np.float32]
    edges_of_new: NDArray[np.float32]
    parts: NDArray[np.float32]
    parts_of_new: NDArray[np.float32]
    popularity: np.float32
    affinity: np.float32
    new: np.float32
    closest_text: np.float32

    @classmethod
    def of(cls, score: Score) -> "Weights":
        """Ask a scorer for its weights: its score of each column alone.

        Raises:
            ValueError: it is no weighted sum.
        """
        column = score(np.eye(len(NAMES), dtype=np.float32))
        drawn = np.random.default_rng(0).normal(size=(8, len(NAMES))).astype(np.float32)
        expected, got = drawn @ column, score(drawn)
        if not np.allclose(expected, got, atol=_LINEAR, rtol=_LINEAR):
            raise ValueError("the scorer is no weighted sum of its columns")
        by_name = dict(zip(NAMES, column, strict=True))
        again = {name: by_name[f"{name}, new"] for name in OF_NEW}
        of_new = np.array([again.get(name, 0) for name in NAMES[: _EDGES + 4]], dtype=np.float32)
        familiar = column[: _EDGES + 4]
        return cls(
            edges=_by_decay(familiar[:_EDGES]),
            edges_of_new=_by_decay((familiar + of_new)[:_EDGES]),
            parts=familiar[_EDGES:],
            parts_of_new=(familiar + of_new)[_EDGES:],
            popularity=by_name["popularity"],
            affinity=by_name["affinity"],
            new=by_name["new"],
            closest_text=by_name["closest text, new"],
        )


@dataclass(frozen=True, eq=False)
class Listener:
    """A person, and what the edges say to them.

    Shapes:
        reached: (M,) int64 rows, each once. said: (M,) float32, the edges' part of their scores.
        asking: (1 + q, V). mean: (H,). affinity: (T,).
    """

    person: Person
    reached: NDArray[np.int64]
    said: NDArray[np.float32]
    asking: NDArray[np.float32]
    mean: NDArray[np.float32]
    affinity: NDArray[np.float32]


class _Bench:
    """What one thread works on, kept from call to call so that no page of it is new."""

    def __init__(self, items: int) -> None:
        self.place: NDArray[np.int32] = np.full(items, -1, dtype=np.int32)
        self.rows: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self.steady: NDArray[np.float32] = np.empty((0, _KINDS), dtype=np.float32)
        self.fading: NDArray[np.float32] = np.empty((0, _FADING, _KINDS), dtype=np.float32)

    def make_room(self, most: int, most_recent: int) -> None:
        if most > len(self.rows):
            room = _room(most)
            self.rows = np.empty(room, dtype=np.int64)
            self.steady = np.empty((room, _KINDS), dtype=np.float32)
        if most_recent > len(self.fading):
            self.fading = np.empty((_room(most_recent), _FADING, _KINDS), dtype=np.float32)


class FusedRanker:
    """Scores candidates of one catalogue by both channels; threads may share it.

    Raises:
        ValueError: the scorer is no weighted sum.
    """

    def __init__(
        self, catalogue: Catalogue, score: Score, *, most_reached: int = MOST_REACHED
    ) -> None:
        self._catalogue = catalogue
        self._weights = Weights.of(score)
        self._most = most_reached
        self._graph_width = catalogue.known.shape[1] - catalogue.text_width
        self._new = catalogue.people == 0
        self._benches: deque[_Bench] = deque()

    def listen(self, person: Person) -> Listener:
        """Find what a person's history speaks for, and how much."""
        history = person.history[:HISTORY_LENGTH]
        weight = person.weight[:HISTORY_LENGTH]
        reached, said = self._reach(history, weight, person.history)
        newest = history[:CLOSEST_AMONG]
        return Listener(
            person=person,
            reached=reached,
            said=said,
            asking=np.vstack((person.vector, self._catalogue.item_vectors[newest])),
            mean=self._mean(history, weight),
            affinity=affinity(self._catalogue, person),
        )

    def deepen(self, query: Query) -> Query:
        """Ask the index for as many items as are to be ranked."""
        return replace(query, k=max(query.k, NEAREST))

    def rank(self, listener: Listener, query: Query, nearest: Selection) -> Selection:
        """Choose the k best of what is near and what the history speaks for.

        Both obey the query's filters. Equal scores are in the order of rows.
        """
        rows, said = self.candidates(listener, nearest.rows, self._admitted(listener, query))
        if not len(rows):
            return nearest
        scores = self.score(listener, rows, said)
        best = best_places(scores, query.k)
        log_total = float(np.logaddexp.reduce(scores, dtype=np.float64))
        return Selection(rows[best], scores[best], nearest.available, log_total)

    def candidates(
        self,
        listener: Listener,
        nearest: NDArray[np.int64],
        admitted: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Choose whom to compare, and give the edges' part of their scores.

        Shapes:
            nearest: (n,) rows, each once. admitted: (M,), which of `listener.reached` may be shown;
                None for all.
            returns: rows (c,), ascending; scores (c,).
        """
        reached, said = listener.reached, listener.said
        numbers = self._numbers(reached, nearest)
        near = np.flatnonzero(numbers >= 0)
        of_nearest = np.zeros(len(nearest), dtype=np.float32)
        of_nearest[numbers[near]] = said[near]
        others = numbers < 0 if admitted is None else (numbers < 0) & admitted
        kept = np.flatnonzero(others)
        if len(kept) > self._most:
            kept = kept[np.argpartition(-said[kept], self._most - 1)[: self._most]]
        rows = np.concatenate((nearest, reached[kept]))
        order = np.argsort(rows)
        return rows[order], np.concatenate((of_nearest, said[kept]))[order]

    def score(
        self, listener: Listener, rows: NDArray[np.int64], said: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Score candidates. Shapes: rows (c,), said (c,), returns (c,)."""
        catalogue, weights = self._catalogue, self._weights
        parts = np.empty((len(rows), 4), dtype=np.float32)
        for start in range(0, len(rows), _CHUNK):
            part = slice(start, start + _CHUNK)
            alike = listener.asking @ catalogue.item_vectors[rows[part]].T  # (1 + q, c)
            parts[part, 0] = alike[0]
            parts[part, 1] = alike[1:].max(axis=0) if len(alike) > 1 else 0
        kernels.kinship(rows, catalogue.known, listener.mean, self._graph_width, parts[:, 2:])
        scores: NDArray[np.float32] = said + parts @ weights.parts
        scores += weights.popularity * catalogue.popularity[rows]
        scores += weights.affinity * listener.affinity[catalogue.item_type[rows]]
        new = np.flatnonzero(self._new[rows])
        if len(new):
            scores[new] += parts[new] @ (weights.parts_of_new - weights.parts) + weights.new
            scores[new] += weights.closest_text * self._closest_text(listener, rows[new])
        return scores

    def _admitted(self, listener: Listener, query: Query) -> NDArray[np.bool_]:
        """Mark the reached rows that a query's filters let through."""
        rows = listener.reached
        kept: NDArray[np.bool_] = self._numbers(rows, query.exclude) < 0
        if query.types is not None:
            kept &= np.isin(self._catalogue.item_type[rows], query.types)
        if query.include is not None:
            kept &= self._numbers(rows, query.include) >= 0
        if query.admitted is not None:
            kept &= query.admitted.mask[rows]
        return kept

    def _reach(
        self,
        history: NDArray[np.int64],
        weight: NDArray[np.float32],
        met: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        pairs, items = self._catalogue.pairs, len(self._catalogue.item_type)
        decays = np.array(DECAYS, dtype=np.float32)
        places = [heard(decay, len(history)) for decay in decays]
        lengths = pairs.indptr[history + 1] - pairs.indptr[history]
        strength = weight[:, None] * decays ** np.arange(len(history), dtype=np.float32)[:, None]
        bench = self._take()
        bench.make_room(
            min(int(lengths.sum()), items), min(int(lengths[: places[-2]].sum()), items)
        )
        count, recent = kernels.add_up(
            pairs.indptr,
            pairs.targets,
            pairs.weights,
            history,
            strength.astype(np.float32),
            np.array(places),
            bench.place,
            bench.rows,
            bench.steady,
            bench.fading,
        )
        rows = bench.rows[:count].copy()
        numbers = np.empty(len(met), dtype=np.int64)
        kernels.look_up(bench.place, met, numbers)
        kernels.leave(bench.place, rows)
        asked = np.ones(count, dtype=np.bool_)
        asked[numbers[numbers >= 0]] = False
        said = np.empty(count, dtype=np.float32)
        steady, fading = bench.steady[:count], bench.fading[:recent]
        loud = _loudness(steady, fading, asked)
        weights = self._weights
        new = self._new[rows]
        kernels.weigh(steady, fading, new, weights.edges / loud, weights.edges_of_new / loud, said)
        self._benches.append(bench)
        return rows, said

    def _numbers(self, rows: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the place of each row among others, -1 where it is none of them."""
        bench = self._take()
        numbers = np.empty(len(rows), dtype=np.int64)
        kernels.enter(bench.place, others)
        kernels.look_up(bench.place, rows, numbers)
        kernels.leave(bench.place, others)
        self._benches.append(bench)
        return numbers

    def _mean(self, history: NDArray[np.int64], weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """Mean of the history's HGNN vectors, the newest loudest; as `evidence.gather` takes it."""
        share = weight * np.float32(KINSHIP_DECAY) ** np.arange(len(history))
        total = max(float(share.sum()), 1e-9)
        kept = int(np.log(_FAINT) / np.log(KINSHIP_DECAY))
        mean = share[:kept] @ self._catalogue.known[history[:kept]] / total
        return np.asarray(mean, dtype=np.float32)

    def _closest_text(
        self, listener: Listener, rows: NDArray[np.int64]
    ) -> NDArray[np.float32] | float:
        newest = listener.person.history[:CLOSEST_AMONG]
        if not len(newest):
            return 0.0
        texts = self._catalogue.known[:, self._graph_width :]
        closest: NDArray[np.float32] = (texts[rows] @ texts[newest].T).max(axis=1)
        return closest

    def _take(self) -> _Bench:
        try:
            return self._benches.pop()
        except IndexError:
            return _Bench(len(self._catalogue.item_type))


def best_places(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Find the places of the k highest scores, equal ones in their order, without sorting all.

    Shapes:
        scores: (M,). returns: (min(k, M),).
    """
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k] if k else np.inf
    places = np.flatnonzero(scores >= least)  # k, and more where the last one is tied
    return places[np.argsort(-scores[places], kind="stable")[:k]]


def _by_decay(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay out the weights of edges. Shapes: (K * D,), returns (D, K)."""
    return np.ascontiguousarray(weights.reshape(_KINDS, -1).T)


def _loudness(
    steady: NDArray[np.float32], fading: NDArray[np.float32], asked: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Tell how loud each kind of edge speaks, as `evidence.loudness`. Shapes: returns (K,)."""
    largest = np.zeros(_KINDS, dtype=np.float32)
    kernels.loudest(steady, asked, largest)
    for decay in range(_FADING):
        kernels.loudest(fading[:, decay], asked, largest)
    loud: NDArray[np.float32] = np.sqrt(np.where(largest > 0, largest, np.float32(1)))
    return loud


def _room(most: int) -> int:
    return max(_LEAST_ROOM, 1 << (most - 1).bit_length())
