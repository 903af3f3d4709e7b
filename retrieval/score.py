"""The one way a score is computed, so that every index gives the same answer to the last bit.

A matrix product rounds differently with the size of the batch and the place of
a row in it: equal vectors get unequal scores, and a batch differs from its
elements. So indexes use fast products only to find candidates; the score that
is compared and returned comes from here and depends on the two vectors alone.
"""

import numpy as np
from numpy.typing import NDArray

from retrieval.index import NO_ROW, Hits

SCORES_AT_ONCE = 16_384
"""Vectors gathered at a time: 16 MB in float64 at 128 dimensions."""


def exact_scores(vectors: NDArray[np.float32], queries: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take the dot product of each vector with its query in float64, rounded to float32.

    Shapes:
        vectors: (..., D).
        queries: (..., D), broadcast against `vectors`.
        returns: (...).
    """
    products: NDArray[np.float64] = np.multiply(vectors, queries, dtype=np.float64)
    scores: NDArray[np.float32] = products.sum(axis=-1).astype(np.float32)
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


def rank(
    catalogue: NDArray[np.float32],
    candidates: NDArray[np.int64],
    queries: NDArray[np.float32],
    k: int,
) -> Hits:
    """Score candidate rows and keep the k best of each query, ties by row.

    Shapes:
        catalogue: (N, D).
        candidates: (B, n), each row at most once for a query, in any order, with -1 between.
        queries: (B, D).
        returns: `Hits` of (B, k).
    """
    hits = empty_hits(len(queries), k)
    ordered = np.sort(candidates, axis=1)  # (B, n), so that a stable sort by score ties by row
    kept = min(k, ordered.shape[1])
    step = max(1, SCORES_AT_ONCE // max(1, ordered.shape[1]))
    for start in range(0, len(queries) if kept else 0, step):
        rows = ordered[start : start + step]  # (b, n)
        scores = np.empty(rows.shape, dtype=np.float32)
        for left in range(0, rows.shape[1], SCORES_AT_ONCE):
            part = rows[:, left : left + SCORES_AT_ONCE]
            query = queries[start : start + step, np.newaxis]
            scores[:, left : left + SCORES_AT_ONCE] = exact_scores(catalogue[part], query)
        scores[rows == NO_ROW] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
        hits.rows[start : start + step, :kept] = np.take_along_axis(rows, best, axis=1)
        hits.scores[start : start + step, :kept] = np.take_along_axis(scores, best, axis=1)
    return hits
