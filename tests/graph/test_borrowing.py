"""Items without neighbours borrow those of their nearest texts, slot by slot."""

from dataclasses import replace

import numpy as np

from graph.borrowing import with_borrowed
from graph.item_graph import ItemGraph
from tests.graph.graphs import graph_of

# books 0 to 3, films 4 and 5; book 3 and film 5 have nobody. Book 3 reads like 1, then like 2.
GRAPH = graph_of(
    [0, 0, 0, 0, 1, 1],
    {(0, 0): [1], (0, 1): [2, 0], (1, 1): [4], (0, 2): [0], (1, 2): [4], (0, 4): [1]},
)
TEXT = np.array(
    [[-1, 0, 0], [0, 1, 0], [0, 0.6, 0.8], [0, 0.96, 0.28], [0, 0, -1], [0.6, 0, -0.8]],
    dtype=np.float32,
)


def lists(graph: ItemGraph, row: int) -> list[list[int]]:
    found = graph.dense(np.array([row]), 9)[0]
    return [[one for one in slot.tolist() if one >= 0] for slot in found]


def test_a_lonely_item_hears_whom_the_nearest_text_hears() -> None:
    lent = with_borrowed(GRAPH, TEXT, 1, 9)
    assert lists(lent, 3) == [[2, 0], [4]]
    assert lists(lent, 5) == [[1], []]  # the only film that has anybody, however unlike


def test_lists_of_several_lenders_are_put_together_and_cut() -> None:
    lent = with_borrowed(GRAPH, TEXT, 2, 9)
    assert lists(lent, 3) == [[0, 2], [4]]  # 0 is said by both, so it comes first
    assert lists(with_borrowed(GRAPH, TEXT, 2, 1), 3) == [[0], [4]]


def test_nobody_elses_lists_change() -> None:
    lent = with_borrowed(GRAPH, TEXT, 3, 9)
    for row in (0, 1, 2, 4):
        assert lists(lent, row) == lists(GRAPH, row)
    start, end = lent.indptr[1], lent.indptr[2]
    assert lent.weights[start:end].tolist() == GRAPH.weights[1:3].tolist()
    assert lent.users[start:end].tolist() == [2, 2]


def test_where_nobody_has_neighbours_nothing_is_lent() -> None:
    empty = replace(
        GRAPH,
        indptr=np.zeros_like(GRAPH.indptr),
        neighbours=GRAPH.neighbours[:0],
        weights=GRAPH.weights[:0],
        users=GRAPH.users[:0],
    )
    assert len(with_borrowed(empty, TEXT, 2, 9).neighbours) == 0
