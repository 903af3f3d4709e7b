"""A graph in which people are nodes: what the item graph is compared with, never what serves."""

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.errors import GraphError
from graph.item_graph import ItemGraph
from graph.lists import Lists

PERSON = "person"
"""Type of the people, behind the item types."""


def graph_with_people(
    graph: ItemGraph, pairs: pl.DataFrame, users: int, cap: int, *, seed: int
) -> ItemGraph:
    """Join each item with the people who chose it, in place of the items they chose with it.

    Rows of items stay; the people's rows follow. An item keeps `cap` of its people and a person
    `cap` of their items of each type, drawn by the seed. Content relations stay as they are.

    Shapes:
        pairs: columns user_row, item_row, each pair once.

    Raises:
        GraphError: an item type or a content relation is called as the people are.

    Source: De Nadai et al., arXiv 2403.05185, compare with such a graph; caps and draws are ours.
    """
    if PERSON in (*graph.item_types, *graph.content_relations):
        raise GraphError(f"{PERSON!r} is the name of the people's type, the data set has it too")
    items, types = graph.num_items, len(graph.item_types)
    item = pairs["item_row"].to_numpy().astype(np.int64)
    person = pairs["user_row"].to_numpy().astype(np.int64) + items
    order = np.random.default_rng([seed, 5]).permutation(len(item))
    item, person = item[order], person[order]
    slots = []
    for kind in range(types):
        of_kind = graph.item_type[item] == kind
        slots.append(_drawn(person[of_kind], item[of_kind], cap, items + users))
    slots.append(_drawn(item, person, cap, items + users))
    slots += [_content(graph, slot, users) for slot in range(types, graph.num_slots)]
    together = Lists.joined(slots)
    return replace(
        graph,
        item_types=(*graph.item_types, PERSON),
        item_type=np.concatenate([graph.item_type, np.full(users, types)]),
        indptr=together.indptr,
        neighbours=together.neighbours,
        weights=together.weights,
        users=together.users,
        people=np.concatenate([graph.people, np.zeros(users, dtype=np.int64)]),
    )


def _drawn(source: NDArray[np.int64], target: NDArray[np.int64], cap: int, nodes: int) -> Lists:
    """Keep the first `cap` targets of each source."""
    order = np.argsort(source, kind="stable")
    source, target = source[order], target[order]
    kept = np.arange(len(source)) - np.searchsorted(source, source) < cap
    ones = np.ones(int(kept.sum()))
    return Lists.of(source[kept], target[kept], ones, ones.astype(np.int64), nodes)


def _content(graph: ItemGraph, slot: int, users: int) -> Lists:
    """Take over a content relation, with empty lists for the people."""
    of_slot, row = np.divmod(graph.list_of, graph.num_items)
    here = of_slot == slot
    return Lists.of(
        row[here],
        graph.neighbours[here].astype(np.int64),
        graph.weights[here].astype(np.float64),
        graph.users[here].astype(np.int64),
        graph.num_items + users,
    )
