"""Learned edge weights: by hand, and against EASE where everybody is everybody's neighbour."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp

from graph.build import GraphSettings, build_graph, strong_pairs
from graph.influence import Speakers, learn_influence, set_moments
from graph.item_graph import ItemGraph
from training.ease import Ease

ITEMS = pl.DataFrame(
    {
        "item_id": [f"i{n}" for n in range(6)],
        "item_type": ["book"] * 3 + ["film"] * 3,
        "creator": ["one", "one", None, None, "one", None],
    }
)
EVERYTHING = GraphSettings(min_users=1, cap=10)


def interactions(chosen: np.ndarray) -> pl.DataFrame:
    """Rows of a binary matrix of people and items."""
    user, item = np.nonzero(chosen)
    return pl.DataFrame({"user_row": user, "item_row": item}).with_columns(
        role=pl.lit("strong"), order=pl.int_range(pl.len()).over("user_row"), timestamp=None
    )


def speakers_of(graph: ItemGraph) -> Speakers:
    """The neighbours that people join, without those by content."""
    lists = np.repeat(np.arange(len(graph.indptr) - 1), np.diff(graph.indptr))
    by_people = lists < len(graph.item_types) * graph.num_items
    owner, neighbour = lists % graph.num_items, graph.neighbours.astype(np.int64)
    return Speakers.of_pairs(owner[by_people], neighbour[by_people], graph.num_items)


def learn(graph: ItemGraph, rows: pl.DataFrame, ridge: float) -> np.ndarray:
    """What row i says for column j."""
    pairs = strong_pairs(rows)
    user, item = pairs["user_row"].to_numpy(), pairs["item_row"].to_numpy()
    speakers = speakers_of(graph)
    matrix = np.zeros((graph.num_items, graph.num_items))
    said = learn_influence(speakers, set_moments(user, item, graph.num_items), ridge)
    matrix[speakers.items, speakers.owner] = said
    return matrix


def test_with_everybody_for_a_neighbour_it_is_ease() -> None:
    chosen = np.random.default_rng(0).random((40, 6)) < 0.5
    rows = interactions(chosen)
    graph = build_graph(ITEMS, rows, EVERYTHING)
    ease = Ease.fit(sp.csr_array(chosen.astype(np.float32)), ridge=3.0)
    np.testing.assert_allclose(learn(graph, rows, 3.0), ease.weights, atol=1e-5)


def test_single_neighbour_by_hand() -> None:
    chosen = np.zeros((5, 6), dtype=bool)
    chosen[:4, 0] = chosen[1:, 3] = True  # three of four people of each share both
    rows = interactions(chosen)
    graph = build_graph(ITEMS, rows, replace(EVERYTHING, content_relations=()))
    said = learn(graph, rows, 2.0)
    assert said[0, 3] == pytest.approx(3 / (4 + 2))
    assert said[3, 0] == pytest.approx(3 / (4 + 2))
    assert np.count_nonzero(said) == 2


def test_speakers_are_distinct_and_never_speak_for_themselves() -> None:
    speakers = Speakers.of_pairs(np.array([2, 0, 2, 1]), np.array([1, 2, 1, 1]), 3)
    assert speakers.indptr.tolist() == [0, 1, 1, 2]
    assert speakers.items.tolist() == [2, 1]
    assert speakers.owner.tolist() == [0, 2]


def test_neighbour_that_repeats_another_says_less() -> None:
    rng = np.random.default_rng(1)
    chosen = np.zeros((200, 6), dtype=bool)
    chosen[:, 0] = rng.random(200) < 0.5
    chosen[:, 1] = chosen[:, 0]  # whoever chose the one chose the other
    chosen[:, 3] = chosen[:, 0] & (rng.random(200) < 0.9)
    alone = chosen.copy()
    alone[:, 1] = False
    both, one = (
        learn(graph, rows, 1.0)
        for rows in (interactions(chosen), interactions(alone))
        for graph in (build_graph(ITEMS, rows, EVERYTHING),)
    )
    assert both[0, 3] == pytest.approx(both[1, 3], abs=1e-4)
    assert both[0, 3] < 0.6 * one[0, 3]


@pytest.mark.parametrize("ridge", [0.0, -1.0, float("nan")])
def test_ridge_without_a_meaning_is_refused(ridge: float) -> None:
    rows = interactions(np.ones((2, 6), dtype=bool))
    with pytest.raises(ValueError, match="ridge: expected more than 0"):
        learn(build_graph(ITEMS, rows, EVERYTHING), rows, ridge)
