"""The items of a generation: ids to rows and back, titles, edges, and who made what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from server.stores.attributes import Attributes


@dataclass(frozen=True, eq=False)
class Found:
    """Ids that were looked up, without those that are not there.

    Shapes:
        rows: (n,) int64, in the order of the ids.
    """

    rows: NDArray[np.int64]
    unknown: list[str]


class Catalogue:
    """Reads the items of one generation; threads may share it."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        manifest = generation.manifest
        self.item_types = manifest.item_types
        lengths = np.diff(generation.graph_indptr).reshape(manifest.num_slots, len(generation))
        self.degree: NDArray[np.int64] = lengths.sum(axis=0)
        """(N,), neighbours of each item over all its lists."""
        self.attributes = Attributes(generation)
        """Finds items by what they are like."""

    def row(self, item_id: str) -> int | None:
        """Find an item; None where the id is unknown."""
        row = int(self._generation.item_ids.lookup([item_id])[0])
        return None if row < 0 else row

    def find(self, ids: Sequence[str]) -> Found:
        """Find items, each as often as it is named."""
        rows = self._generation.item_ids.lookup(ids)
        unknown = [each for each, row in zip(ids, rows, strict=True) if row < 0]
        return Found(rows[rows >= 0], unknown)

    def item_id(self, row: int) -> str:
        """Return the id of a row."""
        return self._generation.item_ids.id(row)

    def type_name(self, row: int) -> str:
        """Return the type of a row."""
        return self.item_types[int(self._generation.item_type[row])]

    def title(self, row: int) -> str:
        """Return the title of a row, empty where it has none."""
        return self._generation.title[row]

    def by_creator(self, creator: str, most: int) -> NDArray[np.int64]:
        """Return the most popular items of a creator, best first.

        Shapes:
            returns: (n,), n at most `most`; none for an empty or unknown creator.
        """
        rows = self.attributes.by_creator(creator).astype(np.int64)
        people = self._generation.popularity[rows]
        if most < len(rows):
            rows = rows[people >= np.partition(people, -most)[-most]]  # more where the last is tied
            people = self._generation.popularity[rows]
        return rows[np.argsort(-people, kind="stable")[:most]]
