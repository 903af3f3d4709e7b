"""Neighbour sampling: what a mini-batch sees of the graph, drawn afresh each time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.item_graph import ItemGraph
from graph.links import LinkBatch, LinkSampler
from graph.pairs import PairSet

__all__ = [
    "Block",
    "LinkBatch",
    "LinkSampler",
    "Subsets",
    "sample_blocks",
    "sample_neighbours",
    "uniform_subsets",
    "weighted_subsets",
]

Subsets = Callable[
    [ItemGraph, NDArray[np.int64], NDArray[np.int64], int, np.random.Generator], NDArray[np.int64]
]
"""Draws from lists that are too long: graph, their starts and lengths (n,), fanout, rng -> places
within the lists, distinct, (n, fanout)."""


@dataclass(frozen=True)
class Block:
    """One hop: destinations, and the sources that send them messages.

    Shapes:
        rows: (n_src,), int64, item rows; the first n_dst are the destinations, the others
            follow in ascending order, each once.
        neighbours: (n_dst, S, K), int64, positions in `rows`, or -1 for no neighbour.
    """

    rows: NDArray[np.int64]
    neighbours: NDArray[np.int64]


def uniform_subsets(
    graph: ItemGraph,
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    fanout: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw so that every subset of a list is equally likely; weights play no part."""
    return _subsets(length, fanout, rng).T.astype(np.int64)


def weighted_subsets(
    graph: ItemGraph,
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    fanout: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Draw one neighbour after the other, each time in proportion to the weights that are left.

    Source: Efraimidis and Spirakis, Information Processing Letters 97(5), 2006,
    doi:10.1016/j.ipl.2005.11.003: the largest of the keys u^(1/w), here of log(u) / w.
    """
    place = np.arange(int(length.max(initial=0)))
    inside = place < length[:, None]  # (n, W)
    weight = np.zeros(inside.shape)
    weight[inside] = graph.weights[(start[:, None] + place)[inside]]
    key = np.full(inside.shape, -np.inf)
    key[inside] = np.log(rng.random(int(inside.sum()))) / np.maximum(weight[inside], 1e-12)
    return np.argpartition(-key, fanout - 1, axis=1)[:, :fanout]


def sample_neighbours(
    graph: ItemGraph,
    rows: NDArray[np.int64],
    fanout: int,
    rng: np.random.Generator,
    subsets: Subsets = uniform_subsets,
) -> NDArray[np.int64]:
    """Draw up to `fanout` neighbours per node and slot, without replacement, as `subsets` says.

    The order inside the answer means nothing. A list no longer than `fanout` is given whole.

    Shapes:
        rows: (B,), repeats allowed, each drawn for itself.
        returns: (B, S, fanout), int64, item rows, padded with -1 at the end.
    """
    return _draw(graph, rows, fanout, rng, subsets) - 1


def _draw(
    graph: ItemGraph,
    rows: NDArray[np.int64],
    fanout: int,
    rng: np.random.Generator,
    subsets: Subsets,
) -> NDArray[np.int64]:
    """Do what `sample_neighbours` says, in item rows + 1, and 0 for no neighbour."""
    shape = (len(rows), graph.num_slots, fanout)
    if not len(graph.neighbours) or not fanout:
        return np.zeros(shape, dtype=np.int64)
    lists = graph.lists(rows).ravel()  # (B * S,)
    start = graph.indptr[lists]
    length = graph.indptr[lists + 1] - start
    place = np.arange(fanout)
    position = start[:, None] + place  # (B * S, fanout)
    long = np.flatnonzero(length > fanout)
    if len(long):
        drawn = subsets(graph, start[long], length[long], fanout, rng)
        position[long] = start[long, None] + drawn
    found = graph.neighbours.take(position, mode="clip").astype(np.int64)
    found += 1
    found *= place < length[:, None]
    return found.reshape(shape)


def _subsets(length: NDArray[np.int64], fanout: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Draw `fanout` of the first `length` integers for each entry, all subsets equally likely.

    Step j draws one of 0..j; one that is there already makes room for j itself.

    Shapes:
        length: (n,), each above `fanout`. returns: (fanout, n), int32.

    Source: Floyd's algorithm, Bentley and Floyd, CACM 30(9), 1987, doi:10.1145/30401.315746;
    here for many sets at once.
    """
    bits = rng.integers(0, 2**32, size=(fanout, len(length)), dtype=np.uint32)
    picked = np.empty(bits.shape, dtype=np.int32)
    first = (length - fanout).astype(np.uint64)
    for step in range(fanout):
        newest = first + np.uint64(step)
        drawn = ((bits[step] * (newest + np.uint64(1))) >> np.uint64(32)).astype(np.int32)
        there = (picked[:step] == drawn).any(axis=0)
        picked[step] = np.where(there, newest, drawn)
    return picked


def sample_blocks(
    graph: ItemGraph,
    rows: NDArray[np.int64],
    fanouts: Sequence[int],
    rng: np.random.Generator,
    removed: NDArray[np.int64] | None = None,
    subsets: Subsets = uniform_subsets,
) -> tuple[Block, ...]:
    """Draw the neighbourhoods of a mini-batch, one block per layer.

    `fanouts[0]` is for `rows` themselves, the next for their neighbours, and so on. Blocks
    come outermost first, as layers use them: the destinations of one are the sources of the
    next, and the destinations of the last are `rows`.

    `removed` edges pass no message, in either direction, in any slot and in any hop. They
    are taken out after drawing, so a list that held one may answer with one less. Nothing
    else is removed: edges that are to be predicted leak unless they are passed here.

    Shapes:
        rows: (B,). removed: (P, 2), item rows in any order.
    """
    gone = None if removed is None else PairSet.of(removed, graph.num_items)
    blocks: list[Block] = []
    for fanout in fanouts:
        drawn = _draw(graph, rows, fanout, rng, subsets)
        if gone is not None:
            _remove(drawn, rows, gone)
        block = _block(rows, drawn, graph.num_items)
        blocks.append(block)
        rows = block.rows
    return tuple(reversed(blocks))


def _remove(drawn: NDArray[np.int64], rows: NDArray[np.int64], gone: PairSet) -> None:
    """Put 0 in place of neighbours (B, S, K), item rows + 1, to which a removed edge leads."""
    touched = np.flatnonzero(gone.ends[rows])
    part = drawn[touched]  # (T, S, K)
    source = np.broadcast_to(rows[touched][:, None, None], part.shape)
    inside = part > 0
    hit = np.zeros(part.shape, dtype=np.bool_)
    hit[inside] = gone.holds(source[inside], part[inside] - 1)
    part[hit] = 0
    drawn[touched] = part


def _block(rows: NDArray[np.int64], drawn: NDArray[np.int64], num_items: int) -> Block:
    """Number the sources: destinations first, the others once and in ascending order."""
    place = np.full(num_items + 1, -1, dtype=np.int64)  # of item row + 1; 0 is "none"
    place[drawn.ravel()] = 0
    place[rows + 1] = -1
    place[0] = -1
    others = np.flatnonzero(place == 0) - 1
    place[others + 1] = np.arange(len(rows), len(rows) + len(others))
    place[rows + 1] = np.arange(len(rows))
    return Block(np.concatenate([rows, others]), place.take(drawn))
