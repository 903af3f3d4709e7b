"""Reading a graph: lists, relations, edges removed, files."""

import json
from pathlib import Path

import numpy as np
import pytest

from graph.errors import GraphFileError
from graph.item_graph import ItemGraph
from tests.graph.graphs import graph_of, random_graph

# Books 0 and 1, films 2, 3, 4. Film 3 lists book 0, which does not list it back.
SMALL = graph_of(
    [0, 0, 1, 1, 1],
    {(0, 0): [1], (0, 1): [0], (1, 0): [2, 4], (0, 2): [0], (0, 3): [0], (2, 4): [1]},
    content_relations=("creator",),
)
ALL = np.arange(5)


def test_degrees_count_per_slot() -> None:
    assert SMALL.degree(ALL).tolist() == [[1, 2, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]]


def test_dense_gives_the_best_first_and_pads_at_the_end() -> None:
    assert SMALL.dense(np.array([0, 4]), 2).tolist() == [
        [[1, -1], [2, 4], [-1, -1]],
        [[-1, -1], [-1, -1], [1, -1]],
    ]
    assert SMALL.dense(np.array([0]), 1).tolist() == [[[1], [2], [-1]]]
    assert SMALL.dense(np.array([0]), 0).shape == (1, 3, 0)


def test_dense_slot_gives_whole_lists() -> None:
    assert SMALL.dense_slot(np.array([2, 0]), 1).tolist() == [[-1, -1], [2, 4]]
    assert SMALL.dense_slot(np.array([2, 3]), 1).shape == (2, 0)
    assert SMALL.dense_slot(np.array([], dtype=np.int64), 1).shape == (0, 0)


@pytest.mark.parametrize(
    ("relation", "pairs"),
    [
        ("book-book", [(0, 1)]),
        ("book-film", [(0, 2), (0, 3), (0, 4)]),
        ("film-film", []),
        ("creator", [(1, 4)]),
    ],
)
def test_edges_are_unique_whichever_end_lists_them(
    relation: str, pairs: list[tuple[int, int]]
) -> None:
    edges = SMALL.edges(relation)
    assert list(zip(edges.left.tolist(), edges.right.tolist(), strict=True)) == pairs
    assert len(edges) == len(pairs)


def test_an_unknown_relation_is_named() -> None:
    with pytest.raises(ValueError, match="relation 'film-book', expected one of book-book"):
        SMALL.edges("film-book")


def test_removed_edges_are_gone_in_both_directions_and_the_others_stay() -> None:
    graph = random_graph(40, 8, seed=1)
    edges = graph.edges("book-film")
    gone = np.stack([edges.right[::3], edges.left[::3]], axis=1)
    less = graph.without(gone)
    left = less.edges("book-film")
    kept = np.ones(len(edges), dtype=np.bool_)
    kept[::3] = False
    assert left.left.tolist() == edges.left[kept].tolist()
    assert left.right.tolist() == edges.right[kept].tolist()
    pairs = {tuple(sorted(pair)) for pair in gone.tolist()}
    for slot in range(3):
        for row in range(40):
            before = graph.dense_slot(np.array([row]), slot)[0].tolist()
            after = less.dense_slot(np.array([row]), slot)[0].tolist()
            assert after == [one for one in before if tuple(sorted((row, one))) not in pairs]


def test_removing_nothing_changes_nothing() -> None:
    same = SMALL.without(np.empty((0, 2), dtype=np.int64))
    assert same.indptr.tolist() == SMALL.indptr.tolist()
    assert same.neighbours.tolist() == SMALL.neighbours.tolist()


@pytest.mark.parametrize("mmap", [False, True])
def test_a_graph_survives_its_files(tmp_path: Path, mmap: bool) -> None:
    graph = random_graph(20, 5, seed=0)
    graph.save(tmp_path)
    loaded = ItemGraph.load(tmp_path, mmap=mmap)
    assert loaded.item_types == graph.item_types
    assert loaded.content_relations == ("creator",)
    for name in ("item_type", "indptr", "neighbours", "weights", "users", "people"):
        saved, read = getattr(graph, name), getattr(loaded, name)
        assert read.dtype == saved.dtype
        assert np.array_equal(read, saved)
        assert isinstance(read, np.memmap) is mmap


@pytest.mark.parametrize("name", ["graph.json", "indptr.npy", "users.npy"])
def test_a_missing_file_of_a_graph_is_named(tmp_path: Path, name: str) -> None:
    SMALL.save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(GraphFileError, match=name):
        ItemGraph.load(tmp_path)


def test_a_truncated_graph_is_refused(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    path = tmp_path / "neighbours.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(GraphFileError, match="not a readable graph"):
        ItemGraph.load(tmp_path)


def test_a_graph_of_a_later_format_is_refused(tmp_path: Path) -> None:
    SMALL.save(tmp_path)
    header = json.loads((tmp_path / "graph.json").read_text())
    (tmp_path / "graph.json").write_text(json.dumps({**header, "format": 2}))
    with pytest.raises(GraphFileError, match="format 2, expected 1"):
        ItemGraph.load(tmp_path)


def test_arrays_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(GraphFileError, match="expected 16 list ends and 7 edges"):
        ItemGraph(
            SMALL.item_types,
            SMALL.content_relations,
            SMALL.item_type,
            SMALL.indptr,
            SMALL.neighbours,
            SMALL.weights[:-1],
            SMALL.users,
            SMALL.people,
        )
