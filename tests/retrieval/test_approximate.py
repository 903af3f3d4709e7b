from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.errors import CatalogueError
from retrieval.exact import ExactIndex
from retrieval.header import read_header
from retrieval.hnsw import Graph, GraphSettings, write_graphs
from retrieval.store import load_index
from retrieval.tune import recall_of

Vectors = NDArray[np.float32]

SETTINGS = GraphSettings(links=8, build_width=60, min_rows=200)


def clustered(count: int, seed: int) -> Vectors:
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(20, 32))[draw.integers(0, 20, count)]
    vectors = vectors + 0.8 * draw.normal(size=(count, 32))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32)


def types(*sizes: int) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(sizes)), sizes)


def test_large_types_get_graphs_and_small_ones_do_not(tmp_path: Path) -> None:
    vectors = clustered(1000, seed=1)
    ApproximateIndex.build(vectors, types(199, 200, 1, 600), SETTINGS).save(tmp_path)
    assert read_header(tmp_path).graphs == ((199, 399), (400, 1000))


def test_catalogue_without_a_large_type_is_searched_exactly_and_needs_no_file(
    tmp_path: Path,
) -> None:
    vectors, queries = clustered(398, seed=1), clustered(30, seed=2)
    index = ApproximateIndex.build(vectors, types(199, 199), SETTINGS)
    index.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.json"]
    wanted = ExactIndex(vectors).search(queries, 10).rows
    np.testing.assert_array_equal(load_index(tmp_path, vectors).search(queries, 10).rows, wanted)


def test_wider_search_misses_less() -> None:
    vectors, queries = clustered(6000, seed=3), clustered(200, seed=4)
    wanted = ExactIndex(vectors).search(queries, 10).rows
    index = ApproximateIndex.build(vectors, types(6000))
    narrow, wide = (
        recall_of(index.with_width(width).search(queries, 10).rows, wanted) for width in (1, 250)
    )
    assert narrow < 0.9
    assert wide > 0.98


@pytest.mark.parametrize("before", [0, 300])
def test_graph_that_cannot_reach_k_rows_is_made_up_for(before: int) -> None:
    """Among equal vectors a graph keeps so few links that most rows cannot be reached."""
    equal = np.tile(clustered(1, seed=5), (2000, 1))
    vectors = np.concatenate([-equal[:before], equal])
    index = ApproximateIndex.build(vectors, types(before, 2000), SETTINGS)
    graph = index.graphs[-1]
    assert (graph.search(equal[:1], 100, 64) == -1).any(), "the case that this test is about"
    assert index.search(equal[:1], 100).rows.tolist() == [list(range(before, before + 100))]


def test_filter_that_cuts_through_a_type_is_exact() -> None:
    vectors, queries = clustered(3000, seed=6), clustered(50, seed=7)
    allowed = np.random.default_rng(8).random(3000) < 0.1
    index = ApproximateIndex.build(
        vectors, types(3000), GraphSettings(links=2, build_width=2, search_width=1, min_rows=1)
    )
    exact = ExactIndex(vectors)
    whole, part = (exact.search(queries, 10, allowed=mask).rows for mask in (None, allowed))
    assert (index.search(queries, 10).rows != whole).any(), "this graph is too poor to be exact"
    np.testing.assert_array_equal(index.search(queries, 10, allowed=allowed).rows, part)


def test_search_that_asks_for_most_of_a_type_is_exact() -> None:
    vectors, queries = clustered(1000, seed=6), clustered(5, seed=7)
    index = ApproximateIndex.build(vectors, types(1000), SETTINGS)
    hits, wanted = (each.search(queries, 900) for each in (index, ExactIndex(vectors)))
    np.testing.assert_array_equal(hits.rows, wanted.rows)


def test_norm_of_a_query_does_not_change_its_rows() -> None:
    vectors, queries = clustered(1000, seed=9), clustered(20, seed=10)
    index = ApproximateIndex.build(vectors, types(1000), SETTINGS)
    for scale in (1e-12, 1e12):
        np.testing.assert_array_equal(
            index.search(np.float32(scale) * queries, 10).rows, index.search(queries, 10).rows
        )


@pytest.mark.parametrize(
    ("vectors", "item_type", "says"),
    [
        (2 * clustered(5, seed=1), types(5), "row 0 is not of unit norm"),
        (np.zeros((5, 32), dtype=np.float32), types(5), "row 0 is not of unit norm"),
        (np.full((5, 32), np.nan, dtype=np.float32), types(5), "row 0 is not of unit norm"),
        (clustered(5, seed=1), types(4), "item_type"),
        (clustered(5, seed=1), types(2, 3)[::-1], "item_type"),
    ],
)
def test_unusable_catalogue_is_refused(
    vectors: Vectors, item_type: NDArray[np.int64], says: str
) -> None:
    with pytest.raises(CatalogueError, match=says):
        ApproximateIndex.build(vectors, item_type)


def test_graph_that_did_not_reach_the_disk_is_an_error(tmp_path: Path) -> None:
    graph = Graph.build(np.eye(8, dtype=np.float32), 0, GraphSettings())
    path = tmp_path / "graphs"
    path.with_name("graphs.partial").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        write_graphs(path, [graph])
    assert not path.exists()
