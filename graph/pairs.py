"""A set of undirected item pairs that answers quickly whether it holds many others."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PairSet:
    """Undirected pairs of item rows; (a, b) and (b, a) are the same pair."""

    keys: NDArray[np.int64]
    """Sorted, unique, smaller row * N + larger row."""
    ends: NDArray[np.bool_]
    """(N,), which items stand in any pair."""

    @classmethod
    def of(cls, pairs: NDArray[np.int64], num_items: int) -> Self:
        """Collect pairs. Shapes: pairs (P, 2), in any order, repeats allowed."""
        ends = np.zeros(num_items, dtype=np.bool_)
        ends[pairs.ravel()] = True
        return cls(np.unique(pairs.min(axis=1) * num_items + pairs.max(axis=1)), ends)

    def holds(self, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for each pair whether it is in the set. Shapes: left, right, returns (E,)."""
        found = np.zeros(len(left), dtype=np.bool_)
        if not len(self.keys):
            return found
        maybe = np.flatnonzero(self.ends[left] & self.ends[right])  # nearly always few
        low, high = np.minimum(left[maybe], right[maybe]), np.maximum(left[maybe], right[maybe])
        key = low * len(self.ends) + high
        place = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        found[maybe] = self.keys[place] == key
        return found
