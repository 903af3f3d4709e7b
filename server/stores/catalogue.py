"""The items of a generation: ids to rows and back, titles, edges, and who made what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation import Generation
from features.content import content_key


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
        self._creators = _Groups.of(pl.Series([*generation.creator]), generation.popularity)

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
        return self._creators.members(creator)[:most]


@dataclass(frozen=True, eq=False)
class _Groups:
    """Rows by a value that they share, in three flat columns.

    Shapes:
        keys: (V,), ascending. starts: (V + 1,). rows: (n,), the most popular of a group first.
    """

    keys: pl.Series
    starts: NDArray[np.int64]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, values: pl.Series, popularity: NDArray[np.float32]) -> "_Groups":
        """Group rows by value, as `graph.content` does; empty values belong to no group."""
        grouped = (
            pl.DataFrame({"key": content_key(values), "popularity": popularity})
            .with_row_index("row")
            .filter(pl.col("key") != "")
            .sort("key", "popularity", "row", descending=[False, True, False])
        )
        counts = grouped.group_by("key", maintain_order=True).len()
        return cls(
            counts["key"],
            np.concatenate(([0], np.cumsum(counts["len"].to_numpy()))).astype(np.int64),
            grouped["row"].to_numpy().astype(np.int64),
        )

    def members(self, value: str) -> NDArray[np.int64]:
        """Return the rows of a value's group."""
        key = content_key(pl.Series([value]))[0]
        place = int(self.keys.search_sorted(key))
        if not key or place == len(self.keys) or self.keys[place] != key:
            return self.rows[:0]
        return self.rows[self.starts[place] : self.starts[place + 1]]
