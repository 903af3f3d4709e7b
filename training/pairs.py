"""The pair table of a run: the item graph's edges, turned round, with their three weights."""

from collections.abc import Callable

import numpy as np
import polars as pl

from graph.build import strong_pairs
from graph.influence import learn_influence
from graph.item_graph import ItemGraph
from retrieval.pairwise import PairTable


def build_pairs(
    graph: ItemGraph,
    interactions: pl.DataFrame,
    ridge: float,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> PairTable:
    """Learn what the items of a graph speak for, from interactions that may be newer than it.

    The columns of the weights are those of `retrieval.evidence.EDGE_KINDS`.
    """
    chosen = strong_pairs(interactions)
    learned = learn_influence(
        graph,
        chosen["user_row"].to_numpy(),
        chosen["item_row"].to_numpy(),
        ridge,
        on_progress=on_progress,
    )
    lists = np.repeat(np.arange(len(graph.indptr) - 1), np.diff(graph.indptr))
    slot, owner = np.divmod(lists, graph.num_items)
    by_people = slot < len(graph.item_types)
    counted = np.where(by_people, graph.weights, 0)
    content = np.where(by_people, 0, graph.weights)
    return PairTable.from_lists(
        owner,
        graph.neighbours.astype(np.int64),
        np.stack((learned, counted, content), axis=1),
        graph.num_items,
    )
