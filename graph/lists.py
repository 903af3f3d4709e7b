"""Neighbour lists of one slot, before they are joined to a graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Lists:
    """One list per item, end to end.

    Shapes:
        indptr: (N + 1,), int64. neighbours: (E,), int32. weights: (E,), float32.
        users: (E,), int32.
    """

    indptr: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]
    users: NDArray[np.int32]

    @classmethod
    def of(
        cls,
        source: NDArray[np.int64],
        neighbours: NDArray[np.int64],
        weights: NDArray[np.float64],
        users: NDArray[np.int64],
        num_items: int,
    ) -> Self:
        """Sort edges into lists: by source, falling weight as it will be stored, then row.

        Shapes:
            source, neighbours, weights, users: (E,), in any order.
        """
        stored = weights.astype(np.float32)
        order = np.lexsort((neighbours, -stored, source))
        lengths = np.bincount(source, minlength=num_items)
        return cls(
            np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            neighbours[order].astype(np.int32),
            stored[order],
            users[order].astype(np.int32),
        )

    @classmethod
    def joined(cls, slots: Sequence[Self]) -> Self:
        """Put the lists of all slots one after the other."""
        offsets = np.cumsum([0, *(len(slot.neighbours) for slot in slots)])
        ends = [slot.indptr[1:] + offset for slot, offset in zip(slots, offsets, strict=False)]
        return cls(
            np.concatenate([np.zeros(1, dtype=np.int64), *ends]),
            np.concatenate([slot.neighbours for slot in slots]),
            np.concatenate([slot.weights for slot in slots]),
            np.concatenate([slot.users for slot in slots]),
        )
