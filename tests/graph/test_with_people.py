"""The graph in which people are nodes."""

import numpy as np
import polars as pl
import pytest

from graph.errors import GraphError
from graph.with_people import graph_with_people
from tests.graph.graphs import graph_of

# books 0 1, film 2; book 0 and film 2 share a creator
GRAPH = graph_of(
    [0, 0, 1],
    {(0, 0): [1], (0, 1): [0], (2, 0): [2], (2, 2): [0]},
    content_relations=("creator",),
)
PAIRS = pl.DataFrame({"user_row": [0, 0, 1, 2], "item_row": [0, 2, 0, 0]})


def test_items_are_joined_with_people_and_no_longer_with_each_other() -> None:
    graph = graph_with_people(GRAPH, PAIRS, 4, 9, seed=0)
    found = {
        name: [
            (int(a), int(b))
            for a, b in zip(graph.edges(name).left, graph.edges(name).right, strict=True)
        ]
        for name in graph.relations.names
    }
    assert found == {
        "book-book": [],
        "book-film": [],
        "film-film": [],
        "film-person": [(2, 3)],
        "book-person": [(0, 3), (0, 4), (0, 5)],
        "person-person": [],
        "creator": [(0, 2)],
    }
    assert graph.num_items == 7
    assert graph.degree(np.array([6])).sum() == 0  # chose nothing


def test_long_lists_are_cut_by_the_seed() -> None:
    pairs = pl.DataFrame({"user_row": range(30), "item_row": [0] * 30})
    cut = [graph_with_people(GRAPH, pairs, 30, 5, seed=seed) for seed in (1, 1, 2)]
    heard = [set(graph.dense(np.array([0]), 99)[0, 2].tolist()) - {-1} for graph in cut]
    assert [len(each) for each in heard] == [5, 5, 5]
    assert heard[0] == heard[1] != heard[2]


def test_an_item_type_of_the_same_name_is_refused() -> None:
    graph = graph_of([0], {}, item_types=("person",))
    with pytest.raises(GraphError, match="'person' is the name of the people's type"):
        graph_with_people(graph, PAIRS.clear(), 1, 1, seed=0)
