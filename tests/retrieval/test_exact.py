from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.errors import CatalogueError
from retrieval.exact import SCORES_AT_ONCE, ExactIndex

Vectors = NDArray[np.float32]


def small_integers(draw: np.random.Generator, rows: int, dimensions: int) -> Vectors:
    """Vectors whose dot products are exact in float32, and full of ties."""
    return draw.integers(-2, 3, (rows, dimensions)).astype(np.float32)


def ranked(vectors: Vectors, query: Vectors, rows: list[int], k: int) -> list[int]:
    """Rank rows by Python integers."""
    scores = {
        row: sum(int(a) * int(b) for a, b in zip(vectors[row], query, strict=True)) for row in rows
    }
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(0, 40),
    dimensions=st.integers(1, 5),
    batch=st.integers(0, 4),
    k=st.integers(1, 50),
    share=st.floats(0, 1),
)
def test_ties_and_filters_are_those_of_integer_arithmetic(
    seed: int, rows: int, dimensions: int, batch: int, k: int, share: float
) -> None:
    draw = np.random.default_rng(seed)
    vectors, queries = (small_integers(draw, count, dimensions) for count in (rows, batch))
    allowed = draw.random(rows) < share
    index = ExactIndex(vectors)
    hits = index.search(queries, k, allowed=allowed)
    listed = index.search_rows(queries, k, np.flatnonzero(allowed))
    for element in range(batch):
        wanted = ranked(vectors, queries[element], np.flatnonzero(allowed).tolist(), k)
        padded = wanted + [-1] * (k - len(wanted))
        assert hits.rows[element].tolist() == padded
        assert listed.rows[element].tolist() == padded


def test_batch_larger_than_one_block_of_scores_is_answered_whole() -> None:
    draw = np.random.default_rng(3)
    vectors, queries = (draw.normal(size=(n, 4)).astype(np.float32) for n in (20_000, 900))
    assert vectors.shape[0] * queries.shape[0] > 2 * SCORES_AT_ONCE
    best = np.argmax(queries.astype(np.float64) @ vectors.astype(np.float64).T, axis=1)
    np.testing.assert_array_equal(ExactIndex(vectors).search(queries, 1).rows[:, 0], best)


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_near_ties_are_told_apart_beyond_float32_products(scale: float) -> None:
    """Rows differ in the last bits, where the order of a float32 sum decides at random."""
    draw = np.random.default_rng(4)
    base = draw.normal(size=256).astype(np.float32)
    vectors = np.tile(base, (300, 1))
    for row, column in product(range(300), range(3)):
        place = (row * 7 + column) % 256
        vectors[row, place] = np.nextafter(vectors[row, place], np.float32((-1) ** row * 10))
    query = np.float32(scale) * draw.normal(size=(1, 256)).astype(np.float32)
    scores = [
        np.float32(sum(float(a) * float(b) for a, b in zip(row, query[0], strict=True)))
        for row in vectors
    ]
    wanted = sorted(range(300), key=lambda row: (-scores[row], row))[:20]
    assert ExactIndex(vectors).search(query, 20).rows[0].tolist() == wanted


def test_mapped_catalogue_is_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", np.eye(5, dtype=np.float32))
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    index = ExactIndex(mapped)
    assert np.shares_memory(index.vectors, mapped)
    assert index.search(np.eye(5, dtype=np.float32)[[3]], 1).rows.tolist() == [[3]]


@pytest.mark.parametrize(
    ("vectors", "says"),
    [
        (np.ones(4, dtype=np.float32), r"shape \(4,\)"),
        (np.ones((4, 0), dtype=np.float32), r"shape \(4, 0\)"),
        (np.ones((4, 2), dtype=np.float64), "float64"),
        (np.array([[1, 2], [np.nan, 1]], dtype=np.float32), r"row 1 is not finite \(1 such"),
        (np.array([[np.inf, 2], [1e30, 1]], dtype=np.float32), r"row 0 is not finite \(2 such"),
    ],
)
def test_unusable_catalogue_is_refused(vectors: Vectors, says: str) -> None:
    with pytest.raises(CatalogueError, match=says):
        ExactIndex(vectors)
