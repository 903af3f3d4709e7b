"""The foundation on a world of two halves: vectors of one half come together."""

import dataclasses
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from features.schema import ItemRecord, compose_text
from features.text import HashFeaturizer
from graph.build import build_graph
from graph.item_graph import ItemGraph
from graph.sample import Block
from graph.worlds import two_communities, write_world
from tables.folder import read_dataset
from training.errors import TrainingError
from training.foundation import FoundationSettings, train_foundation, without_neighbourhoods
from training.inference import embed_catalogue
from training.loop import LoopSettings

SETTINGS = FoundationSettings(
    loop=LoopSettings(epochs=40, patience=40, learning_rate=1e-2),
    dimensions=16,
    hidden_dimensions=16,
    fanout=4,
    batch_size=64,
    negatives=32,
)
HALF = 8
"""Items of each type in each of the two halves."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[ItemGraph, NDArray[np.float32]]:
    folder = tmp_path_factory.mktemp("world")
    drawn = two_communities(items_per_type=2 * HALF, people=40)
    without_creators = drawn.items.with_columns(creator=pl.lit(""))  # an empty relation
    write_world(dataclasses.replace(drawn, items=without_creators), folder)
    dataset = read_dataset(folder, strict=True)
    graph = build_graph(dataset.items, dataset.interactions)
    rows = dataset.items.iter_rows(named=True)
    return graph, HashFeaturizer(32).embed([compose_text(ItemRecord.from_row(r)) for r in rows])


def separation(z: NDArray[np.float32]) -> float:
    """Mean cosine inside the halves less mean cosine between them."""
    half = (np.arange(len(z)) % (2 * HALF)) // HALF
    same = half[:, None] == half[None, :]
    apart = ~np.eye(len(z), dtype=np.bool_)
    cosine = z @ z.T
    return float(cosine[same & apart].mean() - cosine[~same].mean())


@pytest.mark.parametrize("loss", ["softmax", "margin"])
def test_foundation_learns_who_is_chosen_together(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path, loss: Literal["softmax", "margin"]
) -> None:
    graph, text = world
    settings = dataclasses.replace(SETTINGS, loss=loss)
    hgnn, _ = train_foundation(graph, text, settings, tmp_path / "learning")
    assert separation(text) < 0.1
    assert separation(embed_catalogue(hgnn, graph, text)[-1]) > 0.4


def test_learning_rate_of_zero_learns_nothing(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path
) -> None:
    graph, text = world
    loop = dataclasses.replace(SETTINGS.loop, learning_rate=0.0)
    hgnn, progress = train_foundation(
        graph, text, dataclasses.replace(SETTINGS, loop=loop), tmp_path
    )
    assert progress.best_epoch == 0
    assert separation(embed_catalogue(hgnn, graph, text)[-1]) < 0.1


def test_same_seed_gives_the_same_vectors_and_another_seed_others(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path
) -> None:
    graph, text = world
    vectors = []
    for number, seed in enumerate((5, 5, 6)):
        short = dataclasses.replace(SETTINGS, seed=seed, loop=LoopSettings(epochs=2))
        hgnn, _ = train_foundation(graph, text, short, tmp_path / str(number))
        vectors.append(embed_catalogue(hgnn, graph, text)[-1])
    np.testing.assert_array_equal(vectors[0], vectors[1])
    assert np.abs(vectors[0] - vectors[2]).max() > 1e-3


@pytest.mark.parametrize("aggregation", ["max", "mean", "attention"])
def test_layer_by_layer_inference_equals_one_big_block(
    world: tuple[ItemGraph, NDArray[np.float32]],
    tmp_path: Path,
    aggregation: Literal["max", "mean", "attention"],
) -> None:
    graph, text = world
    settings = dataclasses.replace(SETTINGS, loop=LoopSettings(epochs=1), aggregation=aggregation)
    hgnn, _ = train_foundation(graph, text, settings, tmp_path)
    everybody, longest = np.arange(graph.num_items), int(np.diff(graph.indptr).max())
    everywhere = torch.from_numpy(graph.dense(everybody, longest))
    with torch.no_grad():
        texts = torch.from_numpy(text)
        graph_part = hgnn(texts, torch.from_numpy(graph.item_type), (everywhere, everywhere))
        z = hgnn.join(graph_part, texts)
    hidden, vectors = embed_catalogue(hgnn, graph, text)
    np.testing.assert_allclose(vectors, z.numpy(), atol=1e-6)
    assert hidden.shape == (graph.num_items, SETTINGS.hidden_dimensions)


def test_graph_without_an_edge_is_refused(
    world: tuple[ItemGraph, NDArray[np.float32]], tmp_path: Path
) -> None:
    graph, text = world
    empty = dataclasses.replace(
        graph,
        indptr=np.zeros_like(graph.indptr),
        neighbours=graph.neighbours[:0],
        weights=graph.weights[:0],
        users=graph.users[:0],
    )
    with pytest.raises(TrainingError, match="graph: expected at least one edge"):
        train_foundation(empty, text, SETTINGS, tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.9999])
def test_edges_too_few_to_hold_any_out_are_all_learned_from(
    world: tuple[ItemGraph, NDArray[np.float32]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    share: float,
) -> None:
    graph, text = world
    loop = dataclasses.replace(SETTINGS.loop, patience=1)
    settings = dataclasses.replace(SETTINGS, validation_share=share, loop=loop)
    hgnn, progress = train_foundation(graph, text, settings, tmp_path)
    assert (progress.epoch, progress.best_epoch) == (40, 40)
    assert "foundation: nothing to validate on" in capsys.readouterr().err
    assert separation(embed_catalogue(hgnn, graph, text)[-1]) > 0.4


def test_dropped_neighbourhood_is_empty_and_others_keep_theirs() -> None:
    block = Block(np.array([7, 3, 9]), np.array([[[1, 2]], [[0, -1]]]))
    dropped = without_neighbourhoods(block, np.array([3, 9]))
    assert dropped.neighbours.tolist() == [[[1, 2]], [[-1, -1]]]
    assert block.neighbours.tolist() == [[[1, 2]], [[0, -1]]]
