"""What every index promises: vectors in, the nearest rows of the catalogue out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import CatalogueError, QueryError

NO_ROW = -1
"""Fills the end of `Hits.rows` where fewer rows exist than were asked for."""


@dataclass(frozen=True, eq=False)
class Hits:
    """The rows found for a batch of vectors, best first.

    Equal scores are ordered by row. Where fewer than k rows exist, the end is
    filled with row -1 and score -inf.

    Shapes:
        rows: (B, k) int64, catalogue rows.
        scores: (B, k) float32, dot products, never increasing along a row.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]


class VectorIndex(Protocol):
    """A catalogue of vectors that can be searched by dot product.

    An implementation is immutable and may be searched by many threads at once.
    Its answers do not depend on what else is in the batch.
    """

    @property
    def kind(self) -> str:
        """Short name of the algorithm, as a manifest records it."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        ...

    def __len__(self) -> int:
        """Count the rows of the catalogue."""
        ...

    def search(
        self, vectors: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Hits:
        """Find the k best rows for each vector.

        There are always min(k, allowed rows) hits in front of the padding:
        an approximate index may miss some of the very best rows, never return
        fewer than exist. Scores are true dot products in every implementation.

        Shapes:
            vectors: (B, dimensions), of any norm. Nothing is normalised here.
            allowed: (N,), True where a row may be returned; None allows all.
            returns: `Hits` of (B, k).

        Raises:
            QueryError: k below 1, vectors or `allowed` of the wrong shape, or a
                value that is not finite.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what `retrieval.store.load_index` needs, beside the vectors themselves."""
        ...


def check_catalogue(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the catalogue as a plain (N, D) array, or say what is wrong with it.

    Raises:
        CatalogueError: not two-dimensional float32, no dimension, or a row that is not finite.
    """
    if vectors.ndim != 2 or vectors.shape[1] == 0 or vectors.dtype != np.float32:
        raise CatalogueError(
            f"catalogue vectors: expected a float32 array of (rows, dimensions), "
            f"got {vectors.dtype} of shape {vectors.shape}"
        )
    plain: NDArray[np.float32] = np.ascontiguousarray(vectors)
    odd = np.flatnonzero(~np.isfinite(squared_norms(plain)))
    if len(odd):
        raise CatalogueError(
            f"catalogue vectors: row {odd[0]} is not finite ({len(odd)} such rows)"
        )
    return plain


def check_search(
    vectors: NDArray[np.float32], k: int, allowed: NDArray[np.bool_] | None, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the queries as a contiguous float32 array, or say what is wrong with the search.

    Shapes:
        shape: (rows, dimensions) of the catalogue.

    Raises:
        QueryError: as `VectorIndex.search` says.
    """
    rows, dimensions = shape
    if k < 1:
        raise QueryError("k", f"expected at least 1, got {k}")
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise QueryError("vectors", f"expected shape (B, {dimensions}), got {vectors.shape}")
    if allowed is not None and (allowed.shape != (rows,) or allowed.dtype != np.bool_):
        raise QueryError(
            "allowed", f"expected bool of shape ({rows},), got {allowed.dtype} of {allowed.shape}"
        )
    queries: NDArray[np.float32] = np.ascontiguousarray(vectors, dtype=np.float32)
    odd = np.flatnonzero(~np.isfinite(squared_norms(queries)))
    if len(odd):
        raise QueryError("vectors", f"row {odd[0]} has a value that is not finite or too large")
    return queries


def squared_norms(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the squared L2 norm of each row; not finite where the row is not usable.

    Shapes:
        vectors: (B, D).
        returns: (B,).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        norms: NDArray[np.float32] = np.einsum("bd,bd->b", vectors, vectors)
    return norms
