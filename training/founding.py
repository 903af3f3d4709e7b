"""The foundation from end to end: copies before training, lent neighbours before embedding."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from graph.borrowing import lend
from graph.duplicates import with_copies
from graph.item_graph import ItemGraph
from models.hgnn import HGNN
from training.foundation import FoundationSettings, train_foundation
from training.inference import embed_catalogue
from training.loop import Progress


def found(
    graph: ItemGraph, text: NDArray[np.float32], settings: FoundationSettings, folder: Path
) -> tuple[HGNN, Progress, tuple[NDArray[np.float32], ...]]:
    """Train the HGNN and embed the catalogue with it.

    Shapes:
        text: (N, F_0), layer 0, unit rows.
        returns: the network, how training went, and each layer's vectors as in `embed_catalogue`.
    """
    copied, texts, _ = _with_copies(graph, text, settings)
    hgnn, progress = train_foundation(copied, texts, settings, folder)
    return hgnn, progress, embed_founded(hgnn, graph, text, settings)


def embed_founded(
    hgnn: HGNN, graph: ItemGraph, text: NDArray[np.float32], settings: FoundationSettings
) -> tuple[NDArray[np.float32], ...]:
    """Embed the items of a graph as the settings have it.

    Shapes:
        text: (N, F_0), unit rows. returns: each layer's vectors as in `embed_catalogue`.
    """
    graph, text, place = _with_copies(graph, text, settings)
    layers = embed_catalogue(hgnn, lend(graph, text, settings.lenders), text)
    return tuple(layer[place] for layer in layers)


def _with_copies(
    graph: ItemGraph, text: NDArray[np.float32], settings: FoundationSettings
) -> tuple[ItemGraph, NDArray[np.float32], NDArray[np.int64]]:
    """Add copies of items with few neighbours, and tell where each item stands then."""
    if settings.copied_up_to is None:
        return graph, text, np.arange(graph.num_items)
    copied = with_copies(graph, settings.copied_up_to)
    return copied.graph, text[copied.origin], copied.place
