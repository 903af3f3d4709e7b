"""Rank by vectors that were learned for items, and people, as such: without any content."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.cases import Cases


@dataclass(frozen=True)
class IdVectorRanker:
    """Score an item by its vector's dot product with the person's.

    An item that was not learned from has no vector that means anything. All such items score
    one less than the worst of the others, so that they come last and tie. A person of whom
    nothing is known has the zero vector, and then all items score the same.

    Shapes:
        item_vectors: (N, D) float32; biases are a dimension in which people have 1.
        familiar: (N,) bool, which items were learned from, at least one.
        embed_users: a chunk of cases -> (C, D) float32.
    """

    name: str
    item_vectors: NDArray[np.float32]
    familiar: NDArray[np.bool_]
    embed_users: Callable[[Cases], NDArray[np.float32]]

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Compare every familiar item with the case's vector."""
        people = self.embed_users(cases)
        scores = np.asarray(people @ self.item_vectors.T, dtype=np.float32)
        worst = scores[:, self.familiar].min(axis=1, keepdims=True, initial=np.inf)
        nothing = ~people.any(axis=1, keepdims=True)
        return np.where(self.familiar | nothing, scores, worst - 1)


class VectorsOfCases:
    """Looks up the vectors that were computed beforehand for known cases.

    A case is known by its person and history; two that agree in both have one vector.
    """

    def __init__(self) -> None:
        self._row: dict[tuple[int, bytes], int] = {}
        self._vectors: list[NDArray[np.float32]] = []

    def add(self, cases: Cases, vectors: NDArray[np.float32]) -> None:
        """Take in the vectors of some cases. Shapes: vectors (C, D)."""
        for key, vector in zip(_keys(cases), vectors, strict=True):
            self._row[key] = len(self._vectors)
            self._vectors.append(vector)

    def __call__(self, cases: Cases) -> NDArray[np.float32]:
        """Give each case's vector. Shapes: returns (C, D).

        Raises:
            KeyError: a case was never added.
        """
        return np.stack([self._vectors[self._row[key]] for key in _keys(cases)])


def _keys(cases: Cases) -> list[tuple[int, bytes]]:
    return [
        (int(cases.user_row[case]), cases.history(case).tobytes()) for case in range(len(cases))
    ]
