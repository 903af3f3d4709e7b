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
        text: (N, F_0), unit rows.
        returns: the network, how training went, and each layer's vectors as in `embed_catalogue`.
    """
    place = np.arange(graph.num_items)
    if settings.copied_up_to is not None:
        copied = with_copies(graph, settings.copied_up_to)
        graph, text, place = copied.graph, text[copied.origin], copied.place
    hgnn, progress = train_foundation(graph, text, settings, folder)
    layers = embed_catalogue(hgnn, lend(graph, text, settings.lenders), text)
    return hgnn, progress, tuple(layer[place] for layer in layers)
