"""Whole-catalogue inference: the HGNN layer by layer, the towers in chunks.

Every item's layer l is computed once from all of its neighbours' layer l - 1, over the full
graph; nothing is sampled and no neighbourhood is expanded twice.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from graph.item_graph import ItemGraph
from models.hgnn import HGNN
from models.hgnn_layer import HGNNLayer

_CHUNK = 16_384


@torch.no_grad()
def embed_catalogue(
    hgnn: HGNN, graph: ItemGraph, text: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Compute each layer's vectors of the whole catalogue.

    Shapes:
        text: (N, F_0), unit rows.
        returns: per hidden layer (N, F_l), last z (N, D + F_0), rows of unit L2 norm.
    """
    *hidden, last = embed_layers(hgnn, graph, text)
    z = hgnn.join(last, torch.from_numpy(text))
    return (*(layer.numpy() for layer in hidden), z.numpy())


@torch.no_grad()
def centre(hgnn: HGNN, graph: ItemGraph, text: NDArray[np.float32]) -> None:
    """Tell a trained network the means of its catalogue, which its item vectors leave out."""
    hgnn.join.centre(embed_layers(hgnn, graph, text)[-1], torch.from_numpy(text))


@torch.no_grad()
def embed_layers(hgnn: HGNN, graph: ItemGraph, text: NDArray[np.float32]) -> list[Tensor]:
    """Apply layer after layer; the last is the graph part, unit rows, before it is joined.

    Shapes:
        text: (N, F_0), unit rows. returns: per layer (N, F_l).
    """
    hgnn.eval()
    layers = [torch.from_numpy(text)]
    for number in range(hgnn.config.layers):
        layers.append(_full_layer(hgnn.layer(number), graph, layers[-1]))
    return [*layers[1:-1], F.normalize(layers[-1], dim=1)]


def _full_layer(layer: HGNNLayer, graph: ItemGraph, h: Tensor) -> Tensor:
    """Apply one layer to every item, with all neighbours that the graph keeps.

    Per type of destination and slot, the messages of all possible sources are one product;
    at most one such table (N, F_out) is held.
    """
    item_type = torch.from_numpy(graph.item_type)
    out = layer.own(h, item_type)
    queries = layer.queries(h, item_type)
    for destination in range(len(graph.item_types)):
        rows = np.flatnonzero(graph.item_type == destination)
        for slot in range(graph.num_slots):
            relation = int(layer.relation[destination, slot])
            messages = torch.relu(
                torch.addmm(layer.relation_bias[relation], h, layer.relation_weight[relation])
            )
            table = F.pad(messages, (0, 0, 1, 0))  # row 0: the absent neighbour
            for part in _chunks(rows, _CHUNK if queries is None else _CHUNK // 8):
                neighbours = torch.from_numpy(graph.dense_slot(part, slot)) + 1
                if neighbours.shape[1] == 0:
                    continue  # embedding_bag has no empty bags of width 0
                query = None if queries is None else queries[torch.from_numpy(part), slot]
                out.index_add_(0, torch.from_numpy(part), layer.pool(neighbours, table, query))
    return out if layer.linear else torch.relu(out)


def _chunks(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
