"""Mini-batches of edges to predict: all of them, or as many of each relation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.errors import EmptyGraphError
from graph.item_graph import ItemGraph


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
    replacement of every other. It balances the loss; messages use the whole graph.

    Source: the balanced multi-link sampler of De Nadai et al., arXiv 2403.05185.
    """

    @property
    def edges_per_relation(self) -> int:
        """Edges that each relation gives to an epoch."""
        return min(map(len, self.edges.values()))

    @property
    def edges_per_epoch(self) -> int:
        """Edges in one epoch."""
        return len(self.edges) * self.edges_per_relation

    def _draw(self, edges: int, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.choice(edges, self.edges_per_relation, replace=False, shuffle=False)
