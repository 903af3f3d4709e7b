"""Copies and lent neighbours on a world in which some items are new."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from features.schema import ItemRecord, compose_text
from features.text import HashFeaturizer
from graph.build import build_graph
from graph.item_graph import ItemGraph
from graph.links import SAMPLERS, LinkSampler
from graph.worlds import two_communities, write_world
from tables.folder import read_dataset
from tests.support.runs import SMALL
from training.foundation import FoundationSettings
from training.founding import found

NEW = np.array([0, 7, 20])
"""Items that nobody has chosen."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[ItemGraph, NDArray[np.float32]]:
    folder = tmp_path_factory.mktemp("world")
    write_world(two_communities(), folder)
    dataset = read_dataset(folder, strict=True)
    chosen = dataset.interactions.filter(~pl.col("item_row").is_in(NEW.tolist()))
    graph = build_graph(dataset.items.with_columns(creator=pl.lit("")), chosen)
    rows = dataset.items.iter_rows(named=True)
    return graph, HashFeaturizer(32).embed([compose_text(ItemRecord.from_row(r)) for r in rows])


def vectors(
    world: tuple[ItemGraph, NDArray[np.float32]],
    folder: Path,
    changes: dict[str, Any] | None = None,
) -> NDArray[np.float32]:
    settings = dataclasses.replace(SMALL.foundation, **changes or {})
    _, _, layers = found(*world, settings, folder)
    return layers[-1]


def test_lent_neighbours_change_the_new_items_and_nobody_else(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path
) -> None:
    alone = vectors(world, tmp_path / "alone")
    lent = vectors(world, tmp_path / "lent", {"lenders": 2})
    changed = np.abs(lent - alone).max(axis=1) > 1e-4
    assert np.flatnonzero(changed).tolist() == NEW.tolist()


def test_copies_teach_the_network_and_leave_the_catalogue_as_it_is(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path
) -> None:
    text = world[1]
    alone = vectors(world, tmp_path / "alone")
    copied = vectors(world, tmp_path / "copied", {"copied_up_to": 0})
    assert copied.shape == alone.shape
    np.testing.assert_allclose(np.linalg.norm(copied, axis=1), 1, rtol=1e-5)
    assert np.abs(copied - alone).max() > 1e-3
    # its own text is the second half of an item's vector, in the order of the rows
    shifted = text[NEW] - text.mean(axis=0)
    cosine = (copied[NEW, -32:] * shifted).sum(1) / np.linalg.norm(shifted, axis=1)
    np.testing.assert_allclose(cosine, np.sqrt(0.5), atol=0.02)


@pytest.mark.parametrize(
    "change",
    [
        {"sampler": "all"},
        {"sampler": "balanced"},
        {"draw": "weighted"},
        {"aggregation": "mean"},
        {"loss": "margin"},
    ],
)
def test_a_setting_changes_what_is_learned(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path, change: dict[str, Any]
) -> None:
    loop = dataclasses.replace(SMALL.foundation.loop, epochs=2)
    usual, other = (
        vectors(world, tmp_path / str(number), {"loop": loop, **settings})
        for number, settings in enumerate(({}, change))
    )
    assert np.abs(usual - other).max() > 1e-4


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_end_rates_are_how_often_an_item_is_an_end_of_a_drawn_edge(
    world: tuple[ItemGraph, NDArray[np.float32]], sampler: str
) -> None:
    graph, _ = world
    sizes = [len(graph.edges(name)) for name in graph.relations.names]
    assert len(set(sizes)) > 2  # so that the samplers differ
    left, right, epochs = np.zeros(graph.num_items), np.zeros(graph.num_items), 1000
    drawn = LinkSampler(graph, 4, seed=0, counts=SAMPLERS[sampler])
    left_rate, right_rate = drawn.end_rates(graph.num_items)
    for epoch in range(epochs):
        for batch in drawn.iter_epoch(epoch):
            left += np.bincount(batch.left, minlength=graph.num_items)
            right += np.bincount(batch.right, minlength=graph.num_items)
    for rate, counted in ((left_rate, left), (right_rate, right)):
        assert rate.sum() == pytest.approx(1)
        np.testing.assert_allclose(counted / counted.sum(), rate, atol=0.004)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ()),
        ({"aggregation": "attention", "sampler": "all", "draw": "weighted"}, ()),
        ({"copied_up_to": 0}, ("copied_up_to",)),
        ({"lenders": 3}, ("lenders",)),
    ],
)
def test_settings_say_what_a_server_would_not_follow(
    change: dict[str, Any], names: tuple[str, ...]
) -> None:
    assert FoundationSettings(**change).comparison_only == names
