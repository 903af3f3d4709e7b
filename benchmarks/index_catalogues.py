"""Catalogues to measure indexes on: two that are drawn, one learned from real interactions."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds

Vectors = NDArray[np.float32]

DIMENSIONS = 128


def clustered(rows: int, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Draw unit vectors around random centres, one centre for every 500 rows.

    Inside a cluster vectors vary along 16 directions of its own and along all.
    The nearest row of a query has a cosine of about 0.69, the tenth of 0.64.

    Shapes:
        returns: (rows, 128) and (queries, 128), unit rows of the same distribution.
    """
    draw = np.random.default_rng(seed)
    count = max(1, rows // 500)
    centres = draw.normal(size=(count, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    planes = draw.normal(size=(count, 16, DIMENSIONS)) / np.sqrt(16 * DIMENSIONS)
    home = draw.integers(0, count, rows + queries)
    vectors = np.empty((rows + queries, DIMENSIONS), dtype=np.float32)
    for start in range(0, len(home), 4096):
        part = home[start : start + 4096]
        along = np.einsum("np,npd->nd", draw.normal(size=(len(part), 16)), planes[part])
        noise = draw.normal(size=(len(part), DIMENSIONS)) / np.sqrt(DIMENSIONS)
        vectors[start : start + 4096] = centres[part] + 0.5 * along + 0.8 * noise
    vectors = unit(vectors)
    return vectors[:rows], vectors[rows:]


def tight(rows: int, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Draw 20 clusters so tight that graphs fall apart, and queries from nowhere near.

    Shapes:
        returns: (rows, 128) and (queries, 128), unit rows.
    """
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(20, DIMENSIONS))[np.arange(rows) % 20]
    vectors = centres + 0.05 * draw.normal(size=(rows, DIMENSIONS))
    return unit(vectors), unit(draw.normal(size=(queries, DIMENSIONS)))


def learned(data: Path, queries: int, seed: int) -> tuple[Vectors, Vectors]:
    """Factorise the interactions of a data set: its items are the rows, its users ask.

    A singular value decomposition of the user-item matrix, items weighted by one
    over the square root of their users: the plainest thing that puts users and
    items into one space, as the towers do.

    Shapes:
        data: a folder with interactions.parquet.
        returns: (items, 128) and (at most queries, 128), unit rows.
    """
    pairs = pl.read_parquet(data / "interactions.parquet", columns=["user_id", "item_id"]).unique(
        maintain_order=True
    )
    users, items = (pairs[name].rank("dense").to_numpy() - 1 for name in pairs.columns)
    counts = np.bincount(items)
    matrix = csr_matrix((1 / np.sqrt(counts[items]), (users, items)))
    left, values, right = svds(matrix, k=DIMENSIONS, random_state=seed)
    asked = np.random.default_rng(seed).permutation(left.shape[0])[:queries]
    return unit(right.T * np.sqrt(values)), unit(left[asked] * np.sqrt(values))


def unit(vectors: NDArray[np.floating]) -> Vectors:
    """Scale each row to unit norm."""
    norms = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return np.ascontiguousarray(vectors / norms, dtype=np.float32)
