"""Copies of items with few neighbours: where they stand and whom they hear."""

import numpy as np

from graph.duplicates import with_copies
from tests.graph.graphs import graph_of, random_graph

# books 0, 1, 2 and films 3, 4; item 2 has nobody, 4 has a book
GRAPH = graph_of(
    [0, 0, 0, 1, 1],
    {(0, 0): [1], (1, 0): [3, 4], (0, 1): [0], (1, 1): [3], (0, 3): [0, 1], (0, 4): [0]},
)


def lists(graph: object, row: int) -> list[list[int]]:
    found = graph.dense(np.array([row]), 9)[0]  # type: ignore[attr-defined]
    return [[one for one in slot.tolist() if one >= 0] for slot in found]


def test_items_with_few_neighbours_have_a_copy_joined_to_them() -> None:
    copied = with_copies(GRAPH, 1)
    # books 0 1 2 and the copy of 2, films 3 4 and the copy of 4
    assert copied.origin.tolist() == [0, 1, 2, 2, 3, 4, 4]
    assert copied.graph.item_type.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert copied.place.tolist() == [0, 1, 2, 4, 5]
    assert lists(copied.graph, 2) == [[3], []]
    assert lists(copied.graph, 3) == [[2], []]
    assert lists(copied.graph, 5) == [[0], [6]]  # what it had, and the copy
    assert lists(copied.graph, 6) == [[], [5]]
    assert lists(copied.graph, 0) == [[1], [4, 5]]  # renumbered, in the old order
    assert copied.graph.users[copied.graph.indptr[2] : copied.graph.indptr[3]].tolist() == [0]


def test_nothing_is_copied_where_everybody_has_more() -> None:
    graph = graph_of([0, 0], {(0, 0): [1], (0, 1): [0]}, item_types=("book",))
    copied = with_copies(graph, 0)
    assert copied.origin.tolist() == copied.place.tolist() == [0, 1]
    assert np.array_equal(copied.graph.neighbours, graph.neighbours)


def test_the_former_edges_are_all_there_among_the_former_items() -> None:
    graph = random_graph(40, 4, seed=1)
    copied = with_copies(graph, 6)
    assert len(copied.origin) > graph.num_items
    for name in graph.relations.names:
        old = graph.edges(name)
        left, right = copied.place[old.left], copied.place[old.right]
        expected = set(zip(left.tolist(), right.tolist(), strict=True))
        new = copied.graph.edges(name)
        found = set(zip(new.left.tolist(), new.right.tolist(), strict=True))
        more = found - {(min(pair), max(pair)) for pair in expected}
        assert len(found) == len(expected) + len(more)
        assert all(copied.origin[a] == copied.origin[b] for a, b in more)
