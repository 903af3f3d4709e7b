"""A graph without some of its edges."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import ItemGraph


def without_edges(graph: ItemGraph, left: NDArray[np.int64], right: NDArray[np.int64]) -> ItemGraph:
    """Take edges out of every list of both ends, in every relation.

    Shapes:
        left, right: (P,), rows of the items that are no longer joined.
    """
    size = graph.num_items
    source = np.repeat(np.arange(graph.num_slots * size) % size, np.diff(graph.indptr))
    target = graph.neighbours.astype(np.int64)
    pairs = np.minimum(source, target) * size + np.maximum(source, target)
    kept = ~np.isin(pairs, np.minimum(left, right) * size + np.maximum(left, right))
    return dataclasses.replace(
        graph,
        indptr=np.concatenate(([0], np.cumsum(kept)))[graph.indptr],
        neighbours=graph.neighbours[kept],
        weights=graph.weights[kept],
        users=graph.users[kept],
    )
