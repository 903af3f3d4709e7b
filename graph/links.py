"""Mini-batches of edges to predict: all of them, as many of each relation, or a draw of all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.errors import EmptyGraphError
from graph.item_graph import ItemGraph

LEAST_BATCHES = 10
"""Batches of a balanced epoch at least, where the graph has the edges."""
MOST_REPEATS = 10
"""How often an edge of a rare relation is in such an epoch at most."""


@dataclass(frozen=True)
class LinkBatch:
    """Edges to predict.

    Shapes:
        left, right, relation: (B,), int64; item rows, left < right, and relation numbers.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    relation: NDArray[np.int64]


EdgeCounts = Callable[[list[int], int], list[int]]
"""How many edges each relation that has any has, and the batch size -> how many it gives to an
epoch."""


def all_edges(sizes: list[int], _batch_size: int) -> list[int]:
    """Give every edge once."""
    return sizes


def balanced(sizes: list[int], batch_size: int) -> list[int]:
    """Give as many of every relation as the rarest one has.

    That balances the loss; messages use the whole graph. Where the rarest has so few that an epoch
    would be over after a few steps, the others give enough for `LEAST_BATCHES` all the same, and it
    gives its own up to `MOST_REPEATS` times.

    Source: the balanced multi-link sampler of De Nadai et al., arXiv 2403.05185; the least length
        of an epoch is ours.
    """
    least = -(-LEAST_BATCHES * batch_size // len(sizes))
    each = max(min(sizes), least)
    return [min(MOST_REPEATS * size, each) for size in sizes]


def uniform(sizes: list[int], batch_size: int) -> list[int]:
    """Give as many edges as a balanced epoch has, of each relation in proportion to what it has."""
    share = sum(balanced(sizes, batch_size)) / sum(sizes)
    return [max(1, round(share * size)) for size in sizes]


SAMPLERS: dict[str, EdgeCounts] = {"balanced": balanced, "all": all_edges, "uniform": uniform}
"""By `FoundationSettings.sampler`."""


class LinkSampler:
    """So many edges of each relation per epoch, drawn afresh and shuffled.

    Draws are uniform and without replacement; an edge is given again only once all others of its
    relation were.
    """

    def __init__(
        self, graph: ItemGraph, batch_size: int, seed: int, counts: EdgeCounts = all_edges
    ) -> None:
        """Collect the edges of the graph.

        Raises:
            EmptyGraphError: there is none.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size: expected at least 1, got {batch_size}")
        self.batch_size = batch_size
        self.seed = seed
        self.edges = {
            number: edges
            for number, name in enumerate(graph.relations.names)
            if len(edges := graph.edges(name))
        }
        """Edges of the relations that have any, by relation number."""
        if not self.edges:
            raise EmptyGraphError(
                f"graph: no edge among {graph.num_items:,} items; two items are joined when "
                "enough distinct people (min_users) chose both"
            )
        sizes = [len(edges) for edges in self.edges.values()]
        self.counts = dict(zip(self.edges, counts(sizes, batch_size), strict=True))
        """Edges that each relation gives to an epoch, by relation number."""

    @property
    def edges_per_epoch(self) -> int:
        """Edges in one epoch."""
        return sum(self.counts.values())

    def __len__(self) -> int:
        """Count the batches of one epoch."""
        return -(-self.edges_per_epoch // self.batch_size)

    def iter_epoch(self, epoch: int) -> Iterator[LinkBatch]:
        """Yield the batches of an epoch; the same for the same seed and epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        lefts, rights, relations = [], [], []
        for number, edges in self.edges.items():
            chosen = _draw(len(edges), self.counts[number], rng)
            lefts.append(edges.left[chosen])
            rights.append(edges.right[chosen])
            relations.append(np.full(len(chosen), number, dtype=np.int64))
        left, right = np.concatenate(lefts), np.concatenate(rights)
        relation = np.concatenate(relations)
        order = rng.permutation(len(left))
        for start in range(0, len(order), self.batch_size):
            part = order[start : start + self.batch_size]
            yield LinkBatch(left[part], right[part], relation[part])

    def end_rates(self, num_items: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give each item's chance to be the left, and the right, end of an edge in a batch.

        Shapes:
            returns: (N,), (N,), each summing to 1.
        """
        left_rate, right_rate = np.zeros(num_items), np.zeros(num_items)
        for number, edges in self.edges.items():
            share = self.counts[number] / (self.edges_per_epoch * len(edges))
            left_rate += np.bincount(edges.left, minlength=num_items) * share
            right_rate += np.bincount(edges.right, minlength=num_items) * share
        return left_rate, right_rate


def _draw(edges: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Choose which of one relation's edges an epoch holds."""
    repeats, rest = divmod(count, edges)
    drawn = rng.choice(edges, rest, replace=False, shuffle=False)
    return np.concatenate((np.tile(np.arange(edges), repeats), drawn))
