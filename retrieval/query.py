"""What is asked of a catalogue, and what comes back: one request's values."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from retrieval.admission import Admission
from retrieval.errors import QueryError
from retrieval.index import squared_norms


def no_rows() -> NDArray[np.int64]:
    """Return an empty list of rows."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Query:
    """One request: a vector and what may come back for it.

    Raises:
        QueryError: k below 1, a vector that is not one-dimensional and finite, no type at
            all in `types`, or rows that are not a one-dimensional integer array.
    """

    vector: NDArray[np.float32]
    """(D,), of any norm."""

    k: int
    """How many rows to return, at least 1; fewer come back only where fewer exist."""

    types: tuple[int, ...] | None = None
    """Item types that may be returned; None for all of them."""

    include: NDArray[np.int64] | None = None
    """The only rows that may be returned, in any order; None for all, empty for none."""

    exclude: NDArray[np.int64] = field(default_factory=no_rows)
    """Rows never returned, in any order: what was asked for, and what was seen if it is to drop."""

    admitted: Admission | None = None
    """The only rows that may be returned, as `include`, but made to be many and to be shared by
    queries; None for all. Both hold where both are given."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise QueryError("k", f"expected at least 1, got {self.k}")
        if self.vector.ndim != 1:
            raise QueryError("vector", f"expected one dimension, got shape {self.vector.shape}")
        if not np.isfinite(squared_norms(self.vector[np.newaxis])).all():
            raise QueryError("vector", "has a value that is not finite or too large")
        if self.types is not None and not self.types:
            raise QueryError("types", "expected at least one type, or None for all, got none")
        for name, rows in (("include", self.include), ("exclude", self.exclude)):
            if rows is not None and (rows.ndim != 1 or rows.dtype != np.int64):
                raise QueryError(
                    name, f"expected int64 of shape (n,), got {rows.dtype} of {rows.shape}"
                )


@dataclass(frozen=True, eq=False)
class Selection:
    """What one query gets: min(k, `available`) rows, best first, ties by row.

    Shapes:
        rows: (n,) int64.
        scores: (n,) float32, dot products.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    available: int
    """Rows that the query's filters leave. Below k, it is why fewer than k came back."""

    log_total: float | None = None
    """Natural log of the sum of exp(score) over all candidates, of which these are the best, where
    scores are logits; None where they are not."""
