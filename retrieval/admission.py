"""The rows that a filter over single items lets through: as a list, and as a mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import QueryError


@dataclass(frozen=True, eq=False)
class Admission:
    """Rows of a catalogue that may be in an answer.

    Queries that hold the same object share a search, so whoever makes admissions should keep them.

    Shapes:
        rows: (n,) int64, ascending, each once.

    Raises:
        QueryError: `rows` is no such array, or names a row outside the catalogue.
    """

    rows: NDArray[np.int64]

    num_items: int
    """Rows of the whole catalogue."""

    def __post_init__(self) -> None:
        if self.rows.ndim != 1 or self.rows.dtype != np.int64:
            problem = f"expected int64 of shape (n,), got {self.rows.dtype} of {self.rows.shape}"
            raise QueryError("admitted", problem)
        if len(self.rows) and not 0 <= self.rows[0] <= self.rows[-1] < self.num_items:
            problem = f"expected ascending rows of a catalogue of {self.num_items}"
            raise QueryError("admitted", problem)

    @cached_property
    def mask(self) -> NDArray[np.bool_]:
        """Mark the rows. Shapes: returns (N,)."""
        mask = np.zeros(self.num_items, dtype=np.bool_)
        mask[self.rows] = True
        return mask

    def within(self, bounds: NDArray[np.int64], slices: Sequence[int]) -> NDArray[np.int64]:
        """Give the rows that lie in some slices of the catalogue.

        Shapes:
            bounds: (T + 1,), where each slice begins and the last ends.
            slices: numbers of slices, ascending, each once.
            returns: (m,), ascending.
        """
        if len(slices) == len(bounds) - 1:
            return self.rows
        ends = np.searchsorted(self.rows, bounds)
        parts = [self.rows[ends[each] : ends[each + 1]] for each in slices]
        return np.concatenate(parts or [self.rows[:0]])


def union(lists: Sequence[NDArray[np.integer]], num_items: int) -> NDArray[np.int64]:
    """Give the rows that are in any of some lists.

    Shapes:
        lists: each (n,), ascending, each row once. returns: (m,) int64, ascending, each row once.
    """
    if len(lists) == 1:
        return lists[0].astype(np.int64)
    there = np.zeros(num_items, dtype=np.bool_)
    for rows in lists:
        there[rows] = True
    return np.flatnonzero(there)


def intersection(lists: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Give the rows that are in all of some lists, of which there is at least one.

    Every list is looked up from the shortest, so a rare value makes the rest cheap.

    Shapes:
        lists: each (n,), ascending, each row once. returns: (m,), ascending, each row once.
    """
    shortest, *others = sorted(lists, key=len)
    return reduce(_common, others, shortest)


def _common(few: NDArray[np.int64], many: NDArray[np.int64]) -> NDArray[np.int64]:
    place = np.searchsorted(many, few)
    place[place == len(many)] = 0
    return few[many[place] == few] if len(many) else many
