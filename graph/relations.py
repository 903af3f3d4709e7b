"""Which relation a neighbour list belongs to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RelationSchema:
    """The relations of a graph with T item types and C content relations.

    A node has S = T + C neighbour lists, its slots. Slot s < T holds the items of type s
    that the same people chose; slot T + j holds content relation j. Co-interaction has one
    relation per unordered pair of types, so slot s of a node of type a and slot a of a node
    of type s are the same relation.
    """

    item_types: tuple[str, ...]
    content_relations: tuple[str, ...] = ()

    @property
    def num_slots(self) -> int:
        """S, neighbour lists per node."""
        return len(self.item_types) + len(self.content_relations)

    @property
    def num_relations(self) -> int:
        """R = T (T + 1) / 2 + C."""
        return self.num_co_interaction + len(self.content_relations)

    @property
    def num_co_interaction(self) -> int:
        """Relations that come from people; they stand before the content relations."""
        types = len(self.item_types)
        return types * (types + 1) // 2

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the relation numbers: "book-book", "book-film", …, "creator"."""
        types = self.item_types
        pairs = [f"{a}-{b}" for i, a in enumerate(types) for b in types[i:]]
        return (*pairs, *self.content_relations)

    @property
    def table(self) -> NDArray[np.int64]:
        """Relation of slot s at a node of type a. Shapes: returns (T, S)."""
        types = len(self.item_types)
        table = np.empty((types, self.num_slots), dtype=np.int64)
        upper = np.triu_indices(types)
        pairs = np.arange(self.num_co_interaction)
        table[upper] = pairs
        table[upper[1], upper[0]] = pairs
        table[:, types:] = np.arange(self.num_co_interaction, self.num_relations)
        return table
