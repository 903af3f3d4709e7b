"""Copies of items with few neighbours, each joined to its original, for training and embedding.

Source: NodeDup, Guo et al., arXiv 2402.09711: duplicate the nodes of low degree and join each copy
to its original, so that the loss sees them more often and a node hears itself as a neighbour. The
degree up to which an item is copied is theirs, 2, where nothing else is said; they count the links
of a homogeneous graph, we those of all slots together.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import ItemGraph
from graph.lists import Lists


@dataclass(frozen=True)
class Copied:
    """A graph with copies among its items, which stay sorted by type.

    Shapes:
        origin: (N + M,), the row in the former graph of each item; copies name their original.
        place: (N,), where the former items are now.
    """

    graph: ItemGraph
    origin: NDArray[np.int64]
    place: NDArray[np.int64]


def with_copies(graph: ItemGraph, most_neighbours: int) -> Copied:
    """Copy every item that has at most so many neighbours, counted over all slots.

    A copy has one neighbour, its original, in the slot of their type; there the original has the
    copy beside the neighbours it had. A copy may be drawn as a negative of its own original:
    nothing keeps the two apart, as rows differ.
    """
    items = np.arange(graph.num_items)
    copied = np.flatnonzero(graph.degree(items).sum(axis=1) <= most_neighbours)
    origin = np.concatenate([items, copied])
    order = np.argsort(graph.item_type[origin], kind="stable")  # a type: its items, its copies
    now = np.empty(len(origin), dtype=np.int64)
    now[order] = np.arange(len(origin))
    place, copies = now[: len(items)], now[len(items) :]
    together = Lists.joined(
        [_slot(graph, slot, copied, place, copies) for slot in range(graph.num_slots)]
    )
    bigger = replace(
        graph,
        item_type=graph.item_type[origin[order]],
        indptr=together.indptr,
        neighbours=together.neighbours,
        weights=together.weights,
        users=together.users,
        people=graph.people[origin[order]],
    )
    return Copied(bigger, origin[order], place)


def _slot(
    graph: ItemGraph,
    slot: int,
    copied: NDArray[np.int64],
    place: NDArray[np.int64],
    copies: NDArray[np.int64],
) -> Lists:
    """Renumber one slot's lists and join copies and originals where it is that of their type."""
    of_slot, row = np.divmod(graph.list_of, graph.num_items)
    here = of_slot == slot
    mine = graph.item_type[copied] == slot
    original, copy = place[copied[mine]], copies[mine]
    ones, none = np.ones(2 * len(copy)), np.zeros(2 * len(copy), dtype=np.int64)
    return Lists.of(
        np.concatenate([place[row[here]], original, copy]),
        np.concatenate([place[graph.neighbours[here]], copy, original]),
        np.concatenate([graph.weights[here].astype(np.float64), ones]),
        np.concatenate([graph.users[here].astype(np.int64), none]),
        len(place) + len(copies),
    )
