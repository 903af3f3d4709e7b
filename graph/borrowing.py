"""Neighbours lent to items that have none, by the items whose texts are nearest to theirs.

Source: ours; that new nodes may be joined to their likes is the graph densification of LiGNN
(Borisyuk et al., arXiv 2402.11139).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import ItemGraph
from graph.lists import Lists

_CHUNK = 1024
_LENT = 30
"""Neighbours per slot that are lent at most."""


def lend(graph: ItemGraph, text: NDArray[np.float32], lenders: int) -> ItemGraph:
    """Lend items without neighbours those of the `lenders` nearest texts; 0 lends nothing."""
    return with_borrowed(graph, text, lenders, _LENT) if lenders else graph


def with_borrowed(graph: ItemGraph, text: NDArray[np.float32], lenders: int, cap: int) -> ItemGraph:
    """Give every item without any neighbour the lists of the items nearest to it by text.

    Lenders are of the item's own type and have neighbours themselves. Slot by slot their lists are
    put together, an entry weighed by its weight times how like the lender's text is, summed over
    the lenders, and the `cap` heaviest stay. Lists that an item has stay as they are, and nothing
    is listed by anybody who did not list it: only the items without neighbours listen to more.

    Shapes:
        text: (N, F), unit rows; compared after their mean was taken away.
    """
    degree = graph.degree(np.arange(graph.num_items)).sum(axis=1)
    alone = np.flatnonzero(degree == 0)
    lender, likeness = _nearest(graph, text, alone, np.flatnonzero(degree > 0), lenders)
    lent = [_lend(graph, slot, alone, lender, likeness, cap) for slot in range(graph.num_slots)]
    together = Lists.joined(lent)
    return replace(
        graph,
        indptr=together.indptr,
        neighbours=together.neighbours,
        weights=together.weights,
        users=together.users,
    )


def _nearest(
    graph: ItemGraph,
    text: NDArray[np.float32],
    alone: NDArray[np.int64],
    able: NDArray[np.int64],
    lenders: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Find each lonely item's lenders, -1 where there are fewer. Shapes: returns (n, K), (n, K)."""
    shifted = text - text.mean(axis=0)
    unit = shifted / np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-9)
    found = np.full((len(alone), lenders), -1, dtype=np.int64)
    likeness = np.zeros(found.shape)
    for kind in range(len(graph.item_types)):
        pool = able[graph.item_type[able] == kind]
        asking = np.flatnonzero(graph.item_type[alone] == kind)
        width = min(lenders, len(pool))
        for start in range(0, len(asking) if width else 0, _CHUNK):
            part = asking[start : start + _CHUNK]
            cosine = unit[alone[part]] @ unit[pool].T
            best = np.argsort(-cosine, axis=1, kind="stable")[:, :width]
            found[part, :width] = pool[best]
            likeness[part, :width] = np.take_along_axis(cosine, best, axis=1)
    return found, np.maximum(likeness, 1e-6)  # an unlike lender is better than none


def _lend(
    graph: ItemGraph,
    slot: int,
    alone: NDArray[np.int64],
    lender: NDArray[np.int64],
    likeness: NDArray[np.float64],
    cap: int,
) -> Lists:
    """Put one slot's lists together, those that were there and those that are lent."""
    of_slot, row = np.divmod(graph.list_of, graph.num_items)
    here = of_slot == slot
    owners, targets, weights = [row[here]], [graph.neighbours[here].astype(np.int64)], []
    weights.append(graph.weights[here].astype(np.float64))
    for item, near, like in zip(alone, lender, likeness, strict=True):
        target, weight = _union(graph, slot * graph.num_items + near[near >= 0], like[near >= 0])
        best = np.lexsort((target, -weight))[:cap]
        owners.append(np.full(len(best), item))
        targets.append(target[best])
        weights.append(weight[best])
    users = np.zeros(sum(map(len, targets)), dtype=np.int64)
    users[: int(here.sum())] = graph.users[here]
    return Lists.of(
        np.concatenate(owners),
        np.concatenate(targets),
        np.concatenate(weights),
        users,
        graph.num_items,
    )


def _union(
    graph: ItemGraph, lists: NDArray[np.int64], likeness: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Sum up what some lists hold. Shapes: lists, likeness (K,); returns (n,), (n,)."""
    spans = [np.arange(graph.indptr[each], graph.indptr[each + 1]) for each in lists]
    entry = np.concatenate([np.empty(0, dtype=np.int64), *spans])
    strength = np.repeat(likeness, [len(span) for span in spans])
    target, place = np.unique(graph.neighbours[entry].astype(np.int64), return_inverse=True)
    spoken = graph.weights[entry] * strength
    summed = np.bincount(place, weights=spoken, minlength=len(target))
    return target, summed.astype(np.float64)
