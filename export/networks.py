"""The networks of a run as ONNX, each proven to answer as it does in torch."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from export.errors import RunError
from export.generation import ModelFiles
from export.parity import TOLERANCE, Case, check_parity, open_session
from export.parity_cases import hgnn_cases, item_tower_cases, scorer_cases, user_tower_cases
from export.run import RunParts
from export.to_onnx import hgnn_to_onnx, item_tower_to_onnx, scorer_to_onnx, user_tower_to_onnx
from graph.item_graph import ItemGraph
from models.hgnn_serving import HGNNServing

Say = Callable[[str], None]
"""Takes one line about what is being done."""

SEED = 0
SAMPLED_ITEMS = 256
_CHUNK = 16
"""Items at a time with all their neighbours' vectors."""


@dataclass(frozen=True, kw_only=True)
class Networks:
    """ONNX files, and by how much each differs from torch."""

    models: ModelFiles
    parity: dict[str, float]


def export_networks(parts: RunParts, say: Say) -> Networks:
    """Export and compare; nothing is written.

    Raises:
        ParityError: a network differs from torch by more than rounding.
    """
    network, towers = parts.network, parts.towers
    hgnn = hgnn_to_onnx(network)
    parity = {"hgnn": _proven("hgnn", HGNNServing(network), hgnn, hgnn_cases(network.config), say)}
    user = user_tower_to_onnx(towers.user)
    parity["user_tower"] = _proven(
        "user_tower", towers.user, user, user_tower_cases(towers.config), say
    )
    item = item_tower_to_onnx(towers.item)
    parity["item_tower"] = _proven(
        "item_tower", towers.item, item, item_tower_cases(towers.config), say
    )
    scorer = scorer_to_onnx(parts.scorer)
    parity["scorer"] = _proven(
        "scorer", parts.scorer, scorer, scorer_cases(parts.scorer.scale), say
    )
    models = ModelFiles(hgnn=hgnn, user_tower=user, item_tower=item, scorer=scorer)
    return Networks(models=models, parity=parity)


def _proven(name: str, module: nn.Module, model: bytes, cases: Sequence[Case], say: Say) -> float:
    difference = check_parity(name, module, model, cases)
    say(f"{name}.onnx: {len(cases)} cases, differs from torch by {difference:.1e} at most")
    return difference


def check_catalogue(parts: RunParts, models: ModelFiles) -> None:
    """Compute some items again from text and graph, and compare with the vectors of the run.

    This notices stages that were not made from each other: an adaptation over an older
    foundation, a foundation over an older graph.

    Raises:
        RunError: a vector in the run is not what these networks make of the other files.
    """
    rng = np.random.default_rng(SEED)
    items = len(parts.dataset.items)
    rows = np.sort(rng.permutation(items)[:SAMPLED_ITEMS])
    stored = (*parts.layers, parts.hgnn)
    names = [*(f"layer_{i}.npy" for i in range(1, len(stored))), "vectors.npy"]
    for name, got, expected in zip(names, _hgnn(parts, models.hgnn, rows), stored, strict=True):
        _compare(parts, f"foundation/{name}", got, expected[rows], "text and graph")
    vectors = _item_tower(parts, models.item_tower, rows)
    _compare(
        parts,
        "adaptation/item_vectors.npy",
        vectors,
        parts.item_vectors[rows],
        "text and foundation",
    )


def _hgnn(parts: RunParts, model: bytes, rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
    """Run the HGNN with all neighbours; one array per layer."""
    session = open_session(model)
    results: list[list[NDArray[np.float32]]] = []
    for part in _chunks(rows):
        near = all_neighbours(parts.graph, part)  # (b, S, K)
        neighbours = {
            f"neighbours_{number}": vectors[near]
            for number, vectors in enumerate((parts.content, *parts.layers), start=1)
        }
        feed = {
            "text": parts.content[part],
            "item_type": parts.graph.item_type[part],
            "mask": near >= 0,
            **neighbours,
        }
        results.append([np.asarray(each) for each in session.run(None, feed)])
    return [np.concatenate(layer) for layer in zip(*results, strict=True)]


def _item_tower(parts: RunParts, model: bytes, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    session = open_session(model)
    arrays = parts.item_encoder.encode(parts.records(rows))
    with torch.no_grad():
        residual = parts.towers.residual_of(torch.from_numpy(rows))
    feed = {
        "text": parts.content[rows],
        "hgnn": parts.hgnn[rows],
        "item_type": arrays.item_type,
        "language": arrays.language,
        "genres": arrays.genres,
        "residual": residual.numpy(),
    }
    return np.asarray(session.run(None, feed)[0])


def all_neighbours(graph: ItemGraph, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give the whole neighbour lists of some items, padded with -1.

    Shapes:
        rows: (B,). returns: (B, S, K), K the longest of these lists.
    """
    return graph.dense(rows, int(graph.degree(rows).max(initial=0)))


def _compare(
    parts: RunParts,
    name: str,
    got: NDArray[np.float32],
    expected: NDArray[np.float32],
    sources: str,
) -> None:
    difference = float(np.abs(got - expected).max(initial=0.0))
    if not difference <= TOLERANCE:
        raise RunError(
            parts.folder / name,
            f"is not what the network makes of {sources}: {difference:.1e} apart; "
            "the stages do not belong together, run `python -m training all` again",
        )


def _chunks(rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]
