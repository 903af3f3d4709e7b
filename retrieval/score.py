"""The one way a score is computed, so that every index gives the same answer to the last bit.

A matrix product rounds differently with the size of the batch and the place of
a row in it: equal vectors get unequal scores, and a batch differs from its
elements. So indexes use fast products only to find candidates; the score that
is compared and returned comes from here and depends on the two vectors alone.
"""

import numpy as np
from numpy.typing import NDArray

from retrieval.index import NO_ROW, Hits

ROWS_AT_ONCE = 16_384


def exact_scores(
    catalogue: NDArray[np.float32], rows: NDArray[np.int64], query: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Score some rows against one query: float64 dot product, rounded to float32.

    Shapes:
        catalogue: (N, D).
        rows: (n,).
        query: (D,).
        returns: (n,).
    """
    wide = query.astype(np.float64)
    scores = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        scores[start : start + ROWS_AT_ONCE] = (catalogue[part] * wide).sum(axis=1)
    return scores


def empty_hits(batch: int, k: int) -> Hits:
    """Return hits that hold nothing yet: all padding.

    Shapes:
        returns: `Hits` of (batch, k).
    """
    return Hits(
        rows=np.full((batch, k), NO_ROW, dtype=np.int64),
        scores=np.full((batch, k), -np.inf, dtype=np.float32),
    )


def put_best(
    hits: Hits,
    element: int,
    catalogue: NDArray[np.float32],
    candidates: NDArray[np.int64],
    query: NDArray[np.float32],
) -> None:
    """Score the candidates of one element and write the best of them into `hits`.

    Shapes:
        hits: (B, k), filled in place at `element`.
        catalogue: (N, D).
        candidates: (n,), each row once, ascending, so that ties come out by row.
        query: (D,).
    """
    scores = exact_scores(catalogue, candidates, query)
    order = np.argsort(-scores, kind="stable")[: hits.rows.shape[1]]
    hits.rows[element, : len(order)] = candidates[order]
    hits.scores[element, : len(order)] = scores[order]
