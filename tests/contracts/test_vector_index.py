"""What every VectorIndex promises, held against an oracle that shares no code with any of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.errors import QueryError
from retrieval.exact import ExactIndex
from retrieval.hnsw import GraphSettings
from retrieval.index import NO_ROW, Hits, VectorIndex
from retrieval.store import load_index

Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]

DIMENSIONS = 24
TYPE_SIZES = (40, 700, 1260)
COPIES = slice(100, 130)
"""Rows that hold one and the same vector."""

ITEM_TYPE = np.repeat(np.arange(3), TYPE_SIZES)
SMALL_GRAPHS = GraphSettings(links=8, build_width=80, search_width=64, min_rows=100)


def unit(draw: np.random.Generator, count: int) -> Vectors:
    vectors = draw.normal(size=(count, DIMENSIONS)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def catalogue() -> Vectors:
    vectors = unit(np.random.default_rng(11), sum(TYPE_SIZES))
    vectors[COPIES] = vectors[COPIES.start]
    return vectors


def queries(count: int) -> Vectors:
    return unit(np.random.default_rng(12), count)


def exact(vectors: Vectors, item_type: NDArray[np.int64], folder: Path) -> VectorIndex:
    del item_type, folder
    return ExactIndex(vectors)


def approximate(vectors: Vectors, item_type: NDArray[np.int64], folder: Path) -> VectorIndex:
    del folder
    return ApproximateIndex.build(vectors, item_type, SMALL_GRAPHS)


def reopened_exact(vectors: Vectors, item_type: NDArray[np.int64], folder: Path) -> VectorIndex:
    exact(vectors, item_type, folder).save(folder)
    return load_index(folder, vectors)


def reopened_approximate(
    vectors: Vectors, item_type: NDArray[np.int64], folder: Path
) -> VectorIndex:
    approximate(vectors, item_type, folder).save(folder)
    return load_index(folder, vectors)


Create = Callable[[Vectors, NDArray[np.int64], Path], VectorIndex]
ALL: tuple[Create, ...] = (exact, approximate, reopened_exact, reopened_approximate)
FLOOR = {"exact": 1.0, "hnsw": 0.98}
"""Least recall at 10 that each kind promises here."""


@pytest.fixture(scope="module", params=ALL, ids=lambda create: create.__name__)
def create(request: pytest.FixtureRequest) -> Create:
    made: Create = request.param
    return made


@pytest.fixture(scope="module")
def index(create: Create, tmp_path_factory: pytest.TempPathFactory) -> VectorIndex:
    return create(catalogue(), ITEM_TYPE, tmp_path_factory.mktemp("index"))


def oracle(vectors: Vectors, query: Vectors, k: int, allowed: Mask | None = None) -> list[int]:
    """Rank rows in plain Python: best score first, then by row."""
    scores = [float(np.float32(np.vdot(row, query.astype(np.float64)))) for row in vectors]
    rows = [row for row in range(len(vectors)) if allowed is None or allowed[row]]
    return sorted(rows, key=lambda row: (-scores[row], row))[:k]


def found(hits: Hits, element: int) -> list[int]:
    rows = [int(row) for row in hits.rows[element]]
    count = rows.index(NO_ROW) if NO_ROW in rows else len(rows)
    assert rows[count:] == [NO_ROW] * (len(rows) - count)
    assert np.isneginf(hits.scores[element, count:]).all()
    return rows[:count]


def masks() -> dict[str, Mask]:
    draw = np.random.default_rng(13)
    rows = np.arange(len(ITEM_TYPE))
    return {
        "one type": ITEM_TYPE == 2,
        "a small type": ITEM_TYPE == 0,
        "two types apart": ITEM_TYPE != 1,
        "part of a type": (rows >= 900) & (rows < 1500),
        "a third, scattered": draw.random(len(rows)) < 0.33,
        "a hundredth, scattered": draw.random(len(rows)) < 0.01,
        "all but one row": rows != 777,
        "one row": rows == 777,
        "nothing": np.zeros(len(rows), dtype=np.bool_),
        "everything": np.ones(len(rows), dtype=np.bool_),
    }


def test_index_tells_its_shape(index: VectorIndex) -> None:
    assert (len(index), index.dimensions) == (sum(TYPE_SIZES), DIMENSIONS)
    assert index.kind in FLOOR


@pytest.mark.parametrize("filtered", [None, *masks()])
def test_answers_are_those_of_the_oracle(index: VectorIndex, filtered: str | None) -> None:
    allowed = None if filtered is None else masks()[filtered]
    asked = queries(40)
    hits = index.search(asked, 10, allowed=allowed)
    wanted = [oracle(catalogue(), query, 10, allowed) for query in asked]
    got = [found(hits, element) for element in range(len(asked))]
    assert [len(rows) for rows in got] == [len(rows) for rows in wanted]
    overlap = sum(len(set(a) & set(b)) for a, b in zip(got, wanted, strict=True))
    assert overlap >= FLOOR[index.kind] * sum(len(rows) for rows in wanted)
    if FLOOR[index.kind] == 1.0:
        assert got == wanted


@pytest.mark.parametrize("filtered", [None, *masks()])
@pytest.mark.parametrize("k", [1, 10, 500, 5000])
def test_as_many_hits_come_back_as_exist(index: VectorIndex, filtered: str | None, k: int) -> None:
    allowed = None if filtered is None else masks()[filtered]
    exist = len(index) if allowed is None else int(allowed.sum())
    hits = index.search(queries(3), k, allowed=allowed)
    assert hits.rows.shape == hits.scores.shape == (3, k)
    assert hits.rows.dtype == np.int64
    assert hits.scores.dtype == np.float32
    for element in range(3):
        rows = found(hits, element)
        assert len(rows) == len(set(rows)) == min(k, exist)
        assert allowed is None or allowed[rows].all()


def test_scores_are_dot_products_in_falling_order(index: VectorIndex) -> None:
    asked = 3 * queries(20)
    hits = index.search(asked, 50)
    products = np.einsum(
        "bkd,bd->bk", catalogue()[hits.rows].astype(np.float64), asked.astype(np.float64)
    )
    np.testing.assert_array_equal(hits.scores, products.astype(np.float32))
    assert (np.diff(hits.scores, axis=1) <= 0).all()


def test_equal_vectors_come_in_the_order_of_their_rows(index: VectorIndex) -> None:
    hits = index.search(catalogue()[[COPIES.start]], 60)
    rows = found(hits, 0)
    assert rows[:30] == list(range(COPIES.start, COPIES.stop))
    assert len(set(hits.scores[0, :30].tolist())) == 1


@pytest.mark.parametrize("filtered", [None, "one type", "a third, scattered"])
@pytest.mark.parametrize("batch", [1, 2, 17])
def test_batch_gives_what_its_elements_give(
    index: VectorIndex, batch: int, filtered: str | None
) -> None:
    allowed = None if filtered is None else masks()[filtered]
    asked = queries(17)[:batch]
    together = index.search(asked, 10, allowed=allowed)
    for element in range(batch):
        alone = index.search(asked[[element]], 10, allowed=allowed)
        np.testing.assert_array_equal(together.rows[[element]], alone.rows)
        np.testing.assert_array_equal(together.scores[[element]], alone.scores)


def test_threads_get_what_one_caller_gets(index: VectorIndex) -> None:
    asked = queries(64)
    wanted = index.search(asked, 10).rows
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda row: index.search(asked[[row]], 10).rows[0], range(64)))
    np.testing.assert_array_equal(np.stack(rows), wanted)


def test_search_changes_nothing_that_it_was_given(index: VectorIndex) -> None:
    asked, allowed = 5 * queries(4), masks()["a third, scattered"]
    asked.flags.writeable = allowed.flags.writeable = False
    first = index.search(asked, 10, allowed=allowed)
    again = index.search(asked, 10, allowed=allowed)
    np.testing.assert_array_equal(first.rows, again.rows)


def test_zero_vector_scores_every_row_alike(index: VectorIndex) -> None:
    hits = index.search(np.zeros((1, DIMENSIONS), dtype=np.float32), 10)
    assert len(found(hits, 0)) == 10
    assert (hits.scores == 0).all()


def test_empty_batch_has_no_hits(index: VectorIndex) -> None:
    hits = index.search(np.empty((0, DIMENSIONS), dtype=np.float32), 10)
    assert hits.rows.shape == hits.scores.shape == (0, 10)


@pytest.mark.parametrize("rows", [0, 1, 99, 100])
def test_catalogue_of_any_size_is_searched(create: Create, rows: int, tmp_path: Path) -> None:
    index = create(catalogue()[:rows], np.zeros(rows, dtype=np.int64), tmp_path)
    hits = index.search(queries(2), 150)
    for element in range(2):
        assert sorted(found(hits, element)) == list(range(rows))


def broken(value: float) -> Vectors:
    vectors = queries(3)
    vectors[1, 5] = value
    return vectors


@pytest.mark.parametrize(
    ("vectors", "k", "allowed", "field", "says"),
    [
        (queries(1), 0, None, "k", "at least 1, got 0"),
        (queries(1), -3, None, "k", "at least 1, got -3"),
        (queries(1)[:, 1:], 5, None, "vectors", r"\(B, 24\), got \(1, 23\)"),
        (queries(1)[0], 5, None, "vectors", r"\(B, 24\), got \(24,\)"),
        (broken(np.nan), 5, None, "vectors", "row 1 has a value that is not finite"),
        (broken(np.inf), 5, None, "vectors", "row 1 has a value that is not finite"),
        (broken(1e30), 5, None, "vectors", "row 1 .* too large"),
        (queries(1), 5, np.ones(7, dtype=np.bool_), "allowed", r"\(2000,\), got bool of \(7,\)"),
        (queries(1), 5, np.ones(2000, dtype=np.int64), "allowed", "expected bool .* got int64"),
    ],
)
def test_malformed_search_is_refused_by_name(
    index: VectorIndex, vectors: Vectors, k: int, allowed: Mask | None, field: str, says: str
) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        index.search(vectors, k, allowed=allowed)
    assert caught.value.field == field
    assert caught.value.element is None


def test_reopened_index_gives_the_same_answers(index: VectorIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    again = load_index(tmp_path, catalogue())
    assert again.kind == index.kind
    before, after = index.search(queries(30), 20), again.search(queries(30), 20)
    np.testing.assert_array_equal(before.rows, after.rows)
    np.testing.assert_array_equal(before.scores, after.scores)


def test_saving_twice_writes_the_same_bytes_and_leaves_nothing_half_written(
    create: Create, tmp_path: Path
) -> None:
    content = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        create(catalogue(), ITEM_TYPE, folder).save(folder)
        content.append({path.name: path.read_bytes() for path in sorted(folder.iterdir())})
    assert content[0] == content[1]
    assert {*content[0]} <= {"index.json", "index.bin"}
