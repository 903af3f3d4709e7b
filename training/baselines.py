"""Rankers to stand beside the model: what people touched, what texts say, what was seen together.

All of them read the case's history as the set of items in it, without order (unless `last` keeps
only its newest, or `decay` makes older ones weigh less) and without the weights of signals, and
never the user's row; so they answer for people who were not there in training as they do for all
others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.cases import Cases

_BLOCK = 1024  # items whose column of a product is held densely at a time


def interaction_matrix(train: pl.DataFrame, num_users: int, num_items: int) -> sp.csr_array:
    """Build the binary user-item matrix of the training interactions, negative signals left out.

    Shapes:
        returns: (num_users, num_items) float32, 1 where the user touched the item, however often.
    """
    touched = train.filter(pl.col("role") != "negative").select("user_row", "item_row").unique()
    users, items = touched["user_row"].to_numpy(), touched["item_row"].to_numpy()
    ones = np.ones(len(users), dtype=np.float32)
    return sp.csr_array((ones, (users, items)), shape=(num_users, num_items))


def history_matrix(
    cases: Cases, num_items: int, *, last: int | None = None, decay: float = 1.0
) -> sp.csr_array:
    """Build the case-item matrix of the histories, or of the newest `last` entries of each.

    An item weighs `decay` to the power of the number of entries newer than its newest one; with
    the default the matrix is binary.

    Shapes:
        returns: (C, num_items) float32.
    """
    length = np.diff(cases.history_indptr)
    case, rows = np.repeat(np.arange(len(length)), length), cases.history_rows
    newer = cases.history_indptr[1:][case] - 1 - np.arange(len(rows))  # entries after this one
    if last is not None:
        kept = newer < last
        case, rows, newer = case[kept], rows[kept], newer[kept]
    # np.unique keeps the first of equal ones, so the newest must come first.
    _, first = np.unique((case * num_items + rows)[::-1], return_index=True)
    newest = len(rows) - 1 - first
    weight = np.power(decay, newer[newest], dtype=np.float64).astype(np.float32)
    return sp.csr_array((weight, (case[newest], rows[newest])), shape=(len(length), num_items))


@dataclass(frozen=True)
class Popularity:
    """Score an item by the number of people who touched it in training, the same for everybody."""

    counts: NDArray[np.float32]
    name: str = "popularity"

    @classmethod
    def fit(cls, matrix: sp.csr_array) -> Self:
        """Count the people of each item in the user-item matrix."""
        return cls(counts=np.asarray(matrix.sum(axis=0), dtype=np.float32))

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Repeat the counts for every case."""
        return np.broadcast_to(self.counts, (len(cases), len(self.counts)))


@dataclass(frozen=True)
class VectorKnn:
    """Score an item by its dot product with the mean of the history's vectors.

    With text vectors this is text-kNN, with the foundation's vectors HGNN-kNN. An empty history
    has the zero vector and so scores every item 0.

    Shapes:
        vectors: (N, D) float32, rows of unit L2 norm (zero where an item has none).
    """

    name: str
    vectors: NDArray[np.float32]
    last: int | None = None
    """Only so many of the newest history items; None for all."""
    decay: float = 1.0
    """Weight of a history item for each newer one; smaller forgets sooner."""

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Compare every item with the history's mean."""
        history = history_matrix(cases, len(self.vectors), last=self.last, decay=self.decay)
        total = np.asarray(history.sum(axis=1), dtype=np.float32)
        total[total == 0] = 1.0  # an empty history
        mean: NDArray[np.float32] = (history @ self.vectors) / total[:, None]  # (C, D)
        scores: NDArray[np.float32] = mean @ self.vectors.T
        return scores


@dataclass(frozen=True)
class ItemCosine:
    """Score an item by the sum of its similarities with the history's items.

        s(i, j) = users(i, j) / (users(i)^(1 - a) · users(j)^a + shrinkage),   s(i, i) = 0

    Item i is the history's, j the one that is scored: with a, the `exponent`, above a half,
    popular items come up less. At a half it is the cosine.

    Shapes:
        similarity: (N, N) float32, sparse; symmetric at an exponent of a half.

    Source: Sarwar et al., WWW 2001, doi:10.1145/371920.372071; shrinkage in the denominator as in
        Ferrari Dacrema et al., RecSys 2019, doi:10.1145/3298689.3347058; the exponent as in
        Aiolli, RecSys 2013, doi:10.1145/2507157.2507189.
    """

    similarity: sp.csr_array
    last: int | None = None
    """Only so many of the newest history items; None for all."""
    decay: float = 1.0
    """Weight of a history item for each newer one; smaller forgets sooner."""
    name: str = "item-item cosine"

    @classmethod
    def fit(
        cls,
        matrix: sp.csr_array,
        *,
        shrinkage: float = 0.0,
        exponent: float = 0.5,
        last: int | None = None,
        name: str = "item-item cosine",
    ) -> Self:
        """Compute the similarities from the binary user-item matrix, a block of items at a time."""
        users = np.asarray(matrix.sum(axis=0), dtype=np.float32)
        held, scored = users ** (1 - exponent), users**exponent
        by_item = sp.csr_array(matrix.T)
        blocks = []
        for start in range(0, matrix.shape[1], _BLOCK):
            shared = sp.coo_array(by_item[start : start + _BLOCK] @ matrix)
            row, column = shared.coords
            row = row + start
            value = shared.data / (held[row] * scored[column] + np.float32(shrinkage))
            apart = row != column
            shape = shared.shape
            blocks.append(
                sp.csr_array((value[apart], (row[apart] - start, column[apart])), shape=shape)
            )
        return cls(similarity=sp.vstack(blocks, format="csr"), last=last, name=name)

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Add up the similarities of each item with the history."""
        items = self.similarity.shape[0]
        history = history_matrix(cases, items, last=self.last, decay=self.decay)
        return np.asarray((history @ self.similarity).toarray(), dtype=np.float32)


@dataclass(frozen=True)
class TwoTowerRanker:
    """Score an item by the dot product of its tower vector with the user tower's.

    Shapes:
        item_vectors: (N, D) float32.
        embed_users: a chunk of cases -> (C, D) float32, from user features and history alone.
    """

    name: str
    item_vectors: NDArray[np.float32]
    embed_users: Callable[[Cases], NDArray[np.float32]]

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Compare every item with the case's user vector."""
        return np.asarray(self.embed_users(cases) @ self.item_vectors.T, dtype=np.float32)
