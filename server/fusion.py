"""The second channel: candidates that the history speaks for, and the scorer that ranks both."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from retrieval.evidence import NEAREST, Catalogue, Person, gather, reach
from retrieval.pairwise import Reached
from retrieval.query import Query, Selection


class ScoringModel(Protocol):
    """Weighs evidence; see `server.runtime.Models.score`."""

    def score(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shapes: evidence (M, F), returns (M,)."""
        ...


@dataclass(frozen=True, eq=False)
class Listener:
    """A person whose history takes part in the ranking, and what it reaches."""

    person: Person
    reached: Reached


def evidence_of(generation: Generation) -> Catalogue:
    """Take what speaks for candidates from a generation of format 2 or above."""
    assert generation.pairs is not None
    return Catalogue(
        generation.pairs,
        generation.item_vectors,
        generation.hgnn,
        generation.text.shape[1],
        generation.popularity,
        generation.item_type,
    )


class Fuser:
    """Ranks the candidates of both channels for one generation; threads may share it."""

    def __init__(self, generation: Generation, models: ScoringModel) -> None:
        self._models = models
        self._catalogue = evidence_of(generation)

    def listen(
        self, vector: NDArray[np.float32], history: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> Listener:
        """Take a person's vector (V,) and history (L,), newest first, with its weights (L,)."""
        person = Person(vector, history, weight)
        return Listener(person, reach(self._catalogue, person))

    def deepen(self, query: Query) -> Query:
        """Ask the index for as many items as the scorer is to choose among."""
        return replace(query, k=max(query.k, NEAREST))

    def rank(self, listener: Listener, query: Query, nearest: Selection) -> Selection:
        """Choose the k best of what is near and what the history speaks for.

        Both obey the query's filters. Equal scores are in the order of rows.
        """
        reached = self._admitted(listener.reached.rows, query)
        rows = self._together(nearest.rows, reached)
        if not len(rows):
            return nearest
        evidence = gather(self._catalogue, listener.person, listener.reached, rows)
        scores = self._models.score(evidence)
        best = _best(scores, query.k)
        log_total = float(np.logaddexp.reduce(scores, dtype=np.float64))
        return Selection(rows[best], scores[best], nearest.available, log_total)

    def _together(
        self, nearest: NDArray[np.int64], reached: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Give the rows of either, ascending; a mask over the catalogue is faster than sorting."""
        candidate = np.zeros(len(self._catalogue.item_type), dtype=np.bool_)
        candidate[nearest] = True
        candidate[reached] = True
        return np.flatnonzero(candidate)

    def _admitted(self, rows: NDArray[np.int64], query: Query) -> NDArray[np.int64]:
        """Keep the rows that a query's filters let through."""
        kept = ~np.isin(rows, query.exclude)
        if query.types is not None:
            kept &= np.isin(self._catalogue.item_type[rows], query.types)
        if query.include is not None:
            kept &= np.isin(rows, query.include)
        if query.admitted is not None:
            kept &= query.admitted.mask[rows]
        return rows[kept]


def _best(scores: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Find the places of the k highest scores, equal ones in their order, without sorting all.

    Shapes:
        scores: (M,). returns: (min(k, M),).
    """
    k = min(k, len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k] if k else np.inf
    places = np.flatnonzero(scores >= least)  # k, and more where the last one is tied
    return places[np.argsort(-scores[places], kind="stable")[:k]]
