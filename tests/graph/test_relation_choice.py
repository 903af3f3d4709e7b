"""Which relations and which edges of a long list a graph keeps."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from graph.build import build_graph
from graph.errors import GraphError
from graph.item_graph import ItemGraph
from graph.settings import GraphSettings
from graph.worlds import two_communities, write_world
from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.graph.graphs import random_graph
from tests.tables.folders import dataset_of


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("world")
    write_world(two_communities(), folder)
    return read_dataset(folder, strict=True)


def counts(graph: ItemGraph) -> dict[str, int]:
    return {name: len(graph.edges(name)) for name in graph.relations.names}


@pytest.mark.parametrize("name", ["book-book", "book-film", "film-film", "creator"])
def test_a_relation_left_out_has_no_edge_and_the_others_have_theirs(
    dataset: Dataset, name: str
) -> None:
    whole = counts(build_graph(dataset.items, dataset.interactions))
    assert min(whole.values()) > 0
    without = build_graph(dataset.items, dataset.interactions, GraphSettings(without=(name,)))
    only = build_graph(dataset.items, dataset.interactions, GraphSettings(only=(name,)))
    assert counts(without) == {**whole, name: 0}
    assert counts(only) == {**dict.fromkeys(whole, 0), name: whole[name]}


def test_without_content_relations_there_is_no_such_slot(dataset: Dataset) -> None:
    settings = GraphSettings(content_relations=())
    graph = build_graph(dataset.items, dataset.interactions, settings)
    assert graph.relations.names == ("book-book", "book-film", "film-film")


@pytest.mark.parametrize("field", ["without", "only"])
def test_a_relation_that_is_none_is_named(dataset: Dataset, field: str) -> None:
    changed: dict[str, Any] = {field: ("book-game",)}
    settings = replace(GraphSettings(), **changed)
    with pytest.raises(GraphError, match="relation 'book-game', expected some of book-book"):
        build_graph(dataset.items, dataset.interactions, settings)


def test_relations_are_either_kept_or_left_out() -> None:
    with pytest.raises(ValueError, match="without and only: expected one of them at most"):
        GraphSettings(without=("creator",), only=("book-book",))


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"content_relations": ()}, ()),
        ({"without": ("creator",)}, ("without",)),
        ({"only": ("creator",)}, ("only",)),
        ({"content_relations": ("creator", "series")}, ("content_relations",)),
    ],
)
def test_settings_say_what_a_server_would_not_follow(
    change: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert GraphSettings(**change).comparison_only == names


def star(folder: Path) -> Dataset:
    """Join b00 with twelve others, b01 by one person and b12 by twelve."""
    ids = [f"b{number:02d}" for number in range(13)]
    events = []
    for other in range(1, 13):
        for person in range(other):
            events += [(f"u{other}-{person}", ids[0], 1), (f"u{other}-{person}", ids[other], 2)]
    return dataset_of(folder, ids, events)


def first_list(graph: ItemGraph) -> list[int]:
    return [int(row) for row in graph.neighbours[: graph.indptr[1]]]


STAR = GraphSettings(min_users=1, cap=4, popularity_power=0.0, content_relations=())


def test_plain_edges_all_weigh_one_and_a_long_list_keeps_a_draw(tmp_path: Path) -> None:
    dataset = star(tmp_path)
    plain = replace(STAR, weighting="plain")
    weighted = build_graph(dataset.items, dataset.interactions, STAR)
    first, second = (build_graph(dataset.items, dataset.interactions, plain) for _ in range(2))
    assert first_list(weighted) == [12, 11, 10, 9]
    assert len(first_list(first)) == 4
    assert first_list(first) != [9, 10, 11, 12]
    assert first_list(first) == first_list(second)
    assert set(first.weights.tolist()) == {1.0}
    assert sorted(first.users[:4].tolist()) == sorted(first_list(first))  # counts as they are


@pytest.mark.parametrize(("weighting", "least", "most"), [("popularity", 4, 5), ("plain", 30, 40)])
def test_plain_edges_leave_nobody_out(
    tmp_path: Path, weighting: Literal["popularity", "plain"], least: int, most: int
) -> None:
    ids = [f"b{number:02d}" for number in range(40)]
    dataset = dataset_of(tmp_path, ids, [("ann", one, 1) for one in ids])
    settings = replace(STAR, weighting=weighting)
    graph = build_graph(dataset.items, dataset.interactions, settings)
    assert np.diff(graph.indptr).tolist() == [4] * 40
    assert least <= len(np.unique(graph.neighbours)) <= most


def test_of_relations_is_the_graph_without_the_edges_of_the_others() -> None:
    graph = random_graph(20, 4, seed=3).of_relations(("book-book", "book-film", "film-film"))
    others = [graph.edges(name) for name in ("book-book", "film-film")]
    assert min(map(len, others)) > 0
    pairs = np.concatenate([np.stack((edges.left, edges.right), axis=1) for edges in others])
    kept, cut = graph.of_relations(("book-film",)), graph.without(pairs)
    assert counts(kept)["book-film"] == counts(graph)["book-film"] > 0
    for name in ("indptr", "neighbours", "weights", "users"):
        assert np.array_equal(getattr(kept, name), getattr(cut, name)), name
