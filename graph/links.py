"""Mini-batches of edges to predict: all of them, or as many of each relation."""

from collections.abc import Iterator
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


class LinkSampler:
    """Every edge of every relation once per epoch, shuffled."""

    def __init__(self, graph: ItemGraph, batch_size: int, seed: int) -> None:
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

    @property
    def edges_per_epoch(self) -> int:
        """Edges in one epoch."""
        return sum(map(len, self.edges.values()))

    def __len__(self) -> int:
        """Count the batches of one epoch."""
        return -(-self.edges_per_epoch // self.batch_size)

    def iter_epoch(self, epoch: int) -> Iterator[LinkBatch]:
        """Yield the batches of an epoch; the same for the same seed and epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        lefts, rights, relations = [], [], []
        for number, edges in self.edges.items():
            chosen = self._draw(len(edges), rng)
            lefts.append(edges.left[chosen])
            rights.append(edges.right[chosen])
            relations.append(np.full(len(chosen), number, dtype=np.int64))
        left, right = np.concatenate(lefts), np.concatenate(rights)
        relation = np.concatenate(relations)
        order = rng.permutation(len(left))
        for start in range(0, len(order), self.batch_size):
            part = order[start : start + self.batch_size]
            yield LinkBatch(left[part], right[part], relation[part])

    def _draw(self, edges: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Choose which of one relation's edges this epoch holds."""
        return np.arange(edges)


class BalancedLinkSampler(LinkSampler):
    """As many edges of every relation as the rarest one has, drawn afresh each epoch.

    All edges of the rarest relation that has any, and an equally large uniform draw without
    replacement of every other. It balances the loss; messages use the whole graph. Where the rarest
    has so few that an epoch would be over after a few steps, the others give enough for
    `LEAST_BATCHES` all the same, and it gives its own up to `MOST_REPEATS` times.

    Source: the balanced multi-link sampler of De Nadai et al., arXiv 2403.05185; the least length
        of an epoch is ours.
    """

    @property
    def edges_per_epoch(self) -> int:
        """Edges in one epoch."""
        return sum(balanced_counts(self._sizes, self.batch_size))

    @property
    def _sizes(self) -> list[int]:
        return list(map(len, self.edges.values()))

    def _draw(self, edges: int, rng: np.random.Generator) -> NDArray[np.int64]:
        count = balanced_counts(self._sizes, self.batch_size)[self._sizes.index(edges)]
        repeats, rest = divmod(count, edges)
        drawn = rng.choice(edges, rest, replace=False, shuffle=False)
        return np.concatenate((np.tile(np.arange(edges), repeats), drawn))


def balanced_counts(sizes: list[int], batch_size: int) -> list[int]:
    """Say how many edges each relation gives to a balanced epoch.

    `sizes` are the edges of the relations that have any.
    """
    least = -(-LEAST_BATCHES * batch_size // len(sizes))
    each = max(min(sizes), least)
    return [min(MOST_REPEATS * size, each) for size in sizes]
