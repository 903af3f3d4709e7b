"""A graph as it would be had nobody chosen some of its items."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import ItemGraph


def draw_parts(people: NDArray[Any], parts: int, seed: int) -> list[NDArray[np.bool_]]:
    """Draw the items that somebody chose into parts of one size. Shapes: people, returns (N,)."""
    if not parts:
        return []
    drawn = np.random.default_rng([seed, 6]).permutation(np.flatnonzero(people > 0))
    return [np.isin(np.arange(len(people)), part) for part in np.array_split(drawn, parts)]


def as_unchosen(graph: ItemGraph, items: NDArray[np.bool_]) -> ItemGraph:
    """Take away the edges that people made of some items, and the people behind those.

    Content relations stay: they are known of an item on its first day.

    Shapes:
        items: (N,).
    """
    lists = np.repeat(np.arange(len(graph.indptr) - 1), np.diff(graph.indptr))
    slot, owner = np.divmod(lists, graph.num_items)
    by_people = slot < len(graph.item_types)
    kept = ~(by_people & (items[owner] | items[graph.neighbours]))
    lengths = np.bincount(lists[kept], minlength=len(graph.indptr) - 1)
    return replace(
        graph,
        indptr=np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        neighbours=graph.neighbours[kept],
        weights=graph.weights[kept],
        users=graph.users[kept],
        people=np.where(items, 0, graph.people),
    )
