"""Which edges an epoch of the foundation holds, and how often an item is an end of one."""

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import Edges, ItemGraph
from graph.links import BalancedLinkSampler, LinkSampler, balanced_counts


def balanced_rates(
    graph: ItemGraph, batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give each item's chance to be the left, and the right, end of an edge in a balanced batch.

    Shapes:
        returns: (N,), (N,), each summing to 1.
    """
    present = _present(graph)
    given = balanced_counts(list(map(len, present)), batch_size)
    shares = [
        count / (sum(given) * len(edges)) for count, edges in zip(given, present, strict=True)
    ]
    return _end_rates(graph, present, shares)


def plain_rates(
    graph: ItemGraph, batch_size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Do the same where every edge is as likely as every other, whatever the batch size."""
    del batch_size
    present = _present(graph)
    return _end_rates(graph, present, [1 / sum(map(len, present))] * len(present))


def _present(graph: ItemGraph) -> list[Edges]:
    """Collect the edges of the relations that have any."""
    relations = [graph.edges(name) for name in graph.relations.names]
    return [edges for edges in relations if len(edges)]


def _end_rates(
    graph: ItemGraph, relations: list[Edges], shares: list[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up each item's edges, those of one relation with one chance."""
    left_rate, right_rate = np.zeros(graph.num_items), np.zeros(graph.num_items)
    for edges, share in zip(relations, shares, strict=True):
        left_rate += np.bincount(edges.left, minlength=graph.num_items) * share
        right_rate += np.bincount(edges.right, minlength=graph.num_items) * share
    return left_rate, right_rate


SAMPLERS: dict[str, type[LinkSampler]] = {"balanced": BalancedLinkSampler, "all": LinkSampler}
END_RATES = {"balanced": balanced_rates, "all": plain_rates}
"""By `FoundationSettings.sampler`."""
