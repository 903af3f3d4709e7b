"""A graph without what people's choices gave to some of its items."""

import numpy as np
import polars as pl

from graph.build import build_graph
from graph.item_graph import ItemGraph
from graph.settings import GraphSettings
from graph.unchosen import as_unchosen

ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "item_type": ["book", "book", "book", "film"],
        "creator": ["one", None, None, "one"],
    }
)


def make_graph() -> ItemGraph:
    """Everybody chose everything."""
    rows = pl.DataFrame(
        {
            "user_row": np.repeat([0, 1, 2], 4),
            "item_row": np.tile([0, 1, 2, 3], 3),
            "role": "strong",
            "weight": 1.0,
            "order": np.tile([0, 1, 2, 3], 3),
            "timestamp": pl.Series([None] * 12, dtype=pl.Int64),
        }
    )
    return build_graph(ITEMS, rows, GraphSettings(min_users=2))


def neighbours(graph: ItemGraph, item: int, slot: int) -> list[int]:
    found = graph.dense(np.array([item]), 4)[0, slot]
    return sorted(found[found >= 0].tolist())


def test_edges_of_people_go_on_either_side_and_content_stays() -> None:
    graph = make_graph()
    without = as_unchosen(graph, np.array([True, False, False, False]))
    books, films, creator = range(3)
    assert neighbours(graph, 0, books) == [1, 2]
    assert neighbours(without, 0, books) == neighbours(without, 0, films) == []
    assert neighbours(without, 0, creator) == [3]
    assert neighbours(without, 1, books) == [2]
    assert neighbours(without, 1, films) == [3]
    assert neighbours(without, 3, creator) == [0]
    assert without.people.tolist() == [0, 3, 3, 3]


def test_nothing_taken_away_leaves_the_graph_as_it_was() -> None:
    graph = make_graph()
    same = as_unchosen(graph, np.zeros(4, dtype=np.bool_))
    np.testing.assert_array_equal(same.indptr, graph.indptr)
    np.testing.assert_array_equal(same.neighbours, graph.neighbours)
    np.testing.assert_array_equal(same.weights, graph.weights)
