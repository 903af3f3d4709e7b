"""Search that looks at every allowed row: the oracle, and the default for small catalogues."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.header import IndexHeader, fingerprint, write_header
from retrieval.index import NO_ROW, Hits, check_catalogue, check_search, squared_norms
from retrieval.score import empty_hits, rank

SCORES_AT_ONCE = 8_000_000
"""Float32 scores held at a time, twice: 64 MB, whatever the batch, up to that many rows."""

SPARSE = 4
"""Where fewer than one row in this many is allowed, copying those rows beats scoring all."""


class ExactIndex:
    """Dot products with every allowed row.

    One matrix product finds candidates in float32; all rows within its rounding
    error of the k-th are scored again by `retrieval.score`, so that the answer
    is the true top k, whatever the batch and the library behind the product.
    A memory-mapped catalogue stays mapped.

    Shapes:
        vectors: (N, D) float32, of any norm; N may be 0.

    Raises:
        CatalogueError: the vectors are not (N, D) float32, or not finite.
    """

    kind = "exact"

    def __init__(self, vectors: NDArray[np.float32]) -> None:
        self.vectors = check_catalogue(vectors)
        longest = float(np.sqrt(squared_norms(self.vectors).max(initial=0.0)))
        self._error = rounding_error(self.dimensions) * longest

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return int(self.vectors.shape[1])

    def __len__(self) -> int:
        return len(self.vectors)

    def search(
        self, vectors: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Hits:
        """Find the k best rows for each vector; see `VectorIndex.search`.

        A contiguous run of allowed rows costs only its own length.
        """
        queries = check_search(vectors, k, allowed, (len(self), self.dimensions))
        if allowed is None:
            return nearest(self.vectors, queries, k, self._error)
        rows = np.flatnonzero(allowed)
        if not len(rows):
            return empty_hits(len(queries), k)
        first, end = int(rows[0]), int(rows[-1]) + 1
        if len(rows) * SPARSE < end - first:
            return self._among(queries, k, rows)
        hidden = None if len(rows) == end - first else ~allowed[first:end]
        hits = nearest(self.vectors[first:end], queries, k, self._error, hidden=hidden)
        hits.rows[hits.rows != NO_ROW] += first
        return hits

    def search_rows(self, vectors: NDArray[np.float32], k: int, rows: NDArray[np.int64]) -> Hits:
        """Find the k best of the given rows for each vector: `search` where the rows are few.

        Shapes:
            vectors: (B, dimensions).
            rows: (n,) int64, catalogue rows, each once, ascending.
            returns: `Hits` of (B, k).

        Raises:
            QueryError: as `search`.
        """
        queries = check_search(vectors, k, None, (len(self), self.dimensions))
        return self._among(queries, k, rows)

    def save(self, folder: Path) -> None:
        """Write a header and nothing else: the catalogue's vectors are the index."""
        write_header(
            folder,
            IndexHeader(
                kind=self.kind,
                settings={},
                dimensions=self.dimensions,
                count=len(self),
                vectors=fingerprint(self.vectors),
                graphs=(),
                body=None,
            ),
        )

    def _among(self, queries: NDArray[np.float32], k: int, rows: NDArray[np.int64]) -> Hits:
        """Search a copy of some rows."""
        hits = nearest(self.vectors[rows], queries, k, self._error)
        found = hits.rows != NO_ROW
        hits.rows[found] = rows[hits.rows[found]]
        return hits


def nearest(
    catalogue: NDArray[np.float32],
    queries: NDArray[np.float32],
    k: int,
    error: float,
    *,
    hidden: NDArray[np.bool_] | None = None,
) -> Hits:
    """Find the k best rows of `catalogue` that are not hidden.

    Shapes:
        catalogue: (n, D).
        queries: (B, D).
        error: bound on the error of a float32 dot product, per unit of a query's norm.
        hidden: (n,), True where a row may not be returned; at least one is False.
        returns: `Hits` of (B, k).
    """
    hits = empty_hits(len(queries), k)
    visible = len(catalogue) if hidden is None else int(np.count_nonzero(~hidden))
    if not visible:
        return hits
    kth = len(catalogue) - min(k, visible)  # where the k-th best lands in ascending order
    slack = 2 * error * np.sqrt(squared_norms(queries).astype(np.float64))  # (B,)
    step = max(1, SCORES_AT_ONCE // len(catalogue))
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ catalogue.T  # (b, n)
        if hidden is not None:
            scores[:, hidden] = -np.inf
        floor = np.partition(scores, kth, axis=1)[:, kth] - slack[start : start + step]  # (b,)
        for place, row in enumerate(scores):
            candidates = np.flatnonzero(row >= floor[place])
            best = rank(catalogue, candidates[np.newaxis], queries[[start + place]], k)
            hits.rows[start + place], hits.scores[start + place] = best.rows[0], best.scores[0]
    return hits


def rounding_error(dimensions: int) -> float:
    """Bound the error of a float32 dot product of two unit vectors.

    D * 2**-24 to first order, whatever the order of summation; eight more terms
    cover the rounding of the compared scores and of this bound itself.

    Source: Higham, Accuracy and Stability of Numerical Algorithms, 2002, eq. 3.5.
    """
    return (dimensions + 8) * 2.0**-24
