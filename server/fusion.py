"""The second channel: candidates that the history speaks for, and the scorer that ranks both."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from retrieval.evidence import Catalogue, Person
from retrieval.fused import FusedRanker, Listener
from retrieval.query import Query, Selection


class ScoringModel(Protocol):
    """Weighs evidence; see `server.runtime.Models.score`."""

    def score(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Shapes: evidence (M, F), returns (M,)."""
        ...


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
        self._ranker = FusedRanker(evidence_of(generation), models.score)

    def listen(
        self, vector: NDArray[np.float32], history: NDArray[np.int64], weight: NDArray[np.float32]
    ) -> Listener:
        """Take a person's vector (V,) and history (L,), newest first, with its weights (L,)."""
        return self._ranker.listen(Person(vector, history, weight))

    def deepen(self, query: Query) -> Query:
        """Ask the index for as many items as the scorer is to choose among."""
        return self._ranker.deepen(query)

    def rank(self, listener: Listener, query: Query, nearest: Selection) -> Selection:
        """Choose the k best of what is near and what the history speaks for."""
        return self._ranker.rank(listener, query, nearest)
