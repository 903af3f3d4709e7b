"""Item graphs written down by hand or drawn at random."""

from collections.abc import Mapping, Sequence

import numpy as np

from graph.item_graph import ItemGraph

Neighbours = Mapping[tuple[int, int], Sequence[int]]
"""(slot, row) -> neighbours, best first."""


def graph_of(
    item_type: Sequence[int],
    neighbours: Neighbours,
    *,
    item_types: tuple[str, ...] = ("book", "film"),
    content_relations: tuple[str, ...] = (),
) -> ItemGraph:
    """Build a graph from lists; the k-th entry of a list weighs 1 / (k + 1)."""
    slots = len(item_types) + len(content_relations)
    lists = [
        list(neighbours.get((slot, row), ()))
        for slot in range(slots)
        for row in range(len(item_type))
    ]
    flat = [one for entries in lists for one in entries]
    weights = [1 / (place + 1) for entries in lists for place in range(len(entries))]
    return ItemGraph(
        item_types,
        content_relations,
        np.array(item_type, dtype=np.int64),
        np.cumsum([0, *map(len, lists)]).astype(np.int64),
        np.array(flat, dtype=np.int32),
        np.array(weights, dtype=np.float32),
        np.full(len(flat), 2, dtype=np.int32),
        np.zeros(len(item_type), dtype=np.int64),
    )


def random_graph(items: int, degree: int, seed: int) -> ItemGraph:
    """Draw lists of 0..degree neighbours: two types, half and half, and a content relation."""
    rng = np.random.default_rng(seed)
    half = items // 2
    pools = (np.arange(half), np.arange(half, items), np.arange(items))
    lists = {}
    for slot, pool in enumerate(pools):
        for row in range(items):
            others = pool[pool != row]
            count = rng.integers(min(degree, len(others)) + 1)
            lists[slot, row] = rng.choice(others, count, replace=False).tolist()
    kinds = [0] * half + [1] * (items - half)
    return graph_of(kinds, lists, content_relations=("creator",))
