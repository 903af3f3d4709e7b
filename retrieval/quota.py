"""How many hits a type may have in one list, and has to have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quota:
    """Bounds on the hits of one type.

    Raises:
        ValueError: a negative bound, or a minimum above the maximum.
    """

    item_type: int
    least: int = 0
    """So many where as many exist."""
    most: int | None = None
    """No more than so many; None for no bound."""

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < self.least):
            raise ValueError(f"expected 0 <= least <= most, got {self.least} and {self.most}")


class Places:
    """The places of one list while it is filled.

    Feasible first: a candidate is open only where the places that would be left after it are enough
    for every minimum that is not met yet. A minimum that more rows would be needed for than there
    are counts for as many as there are.

    Shapes:
        item_type: (n,), of the candidates.
    """

    def __init__(self, quotas: Sequence[Quota], item_type: NDArray[np.int64], k: int) -> None:
        types = max((int(item_type.max(initial=0)), *(quota.item_type for quota in quotas))) + 1
        there = np.bincount(item_type, minlength=types)
        self._missing = np.zeros(types, dtype=np.int64)
        self._room = np.full(types, k, dtype=np.int64)
        for quota in quotas:
            self._missing[quota.item_type] = min(quota.least, int(there[quota.item_type]))
            if quota.most is not None:
                self._room[quota.item_type] = quota.most
        self._left = k

    def open_types(self) -> NDArray[np.bool_]:
        """Tell which types the next place may go to. Shapes: returns (T,)."""
        if self._missing.sum() >= self._left:
            return self._missing > 0
        return self._room > 0

    def take(self, item_type: int) -> None:
        """Give the next place to a type."""
        self._missing[item_type] = max(0, self._missing[item_type] - 1)
        self._room[item_type] -= 1
        self._left -= 1
