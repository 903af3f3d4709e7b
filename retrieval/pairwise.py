"""The pairwise channel: from the items of a history to what they speak for.

A candidate j of a history h_0, h_1, ... (0 is the newest) has, for every kind k of edge weight
and every decay d, the sum

    f(j, k, d) = sum over p of d^p * weight_p * edge_k(h_p, j)

What the sums are worth is for `models.scorer` to say.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

_ARRAYS = ("indptr", "targets", "weights")


@dataclass(frozen=True, eq=False)
class Reached:
    """Items that a history speaks for.

    Shapes:
        rows: (M,) int64, ascending, each once.
        sums: (M, K * D) float32, the sums of edge kind k under decay d in column k * D + d.
    """

    rows: NDArray[np.int64]
    sums: NDArray[np.float32]

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Look up the sums of some items, 0 where nothing speaks for them.

        Shapes:
            rows: (n,). returns: (n, K * D).
        """
        found = np.zeros((len(rows), self.sums.shape[1]), dtype=np.float32)
        if len(self.rows):
            place = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
            there = self.rows[place] == rows
            found[there] = self.sums[place[there]]
        return found


@dataclass(frozen=True, eq=False)
class PairTable:
    """For each item the items it speaks for, with K weights each; as CSR arrays.

    Shapes:
        indptr: (N + 1,) int64. targets: (P,) int32. weights: (P, K) float32.
    """

    indptr: NDArray[np.int64]
    targets: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def from_lists(
        cls,
        owner: NDArray[np.int64],
        neighbour: NDArray[np.int64],
        weights: NDArray[np.float32],
        num_items: int,
    ) -> Self:
        """Turn neighbour lists round: who stands in a list speaks for the list's owner.

        Shapes:
            owner, neighbour: (E,), one entry per edge; a pair may occur several times with
                different kinds of weight, which are added up. weights: (E, K).
        """
        key = neighbour * num_items + owner
        pairs, place = np.unique(key, return_inverse=True)
        summed = np.stack(
            [
                np.bincount(place, weights=column, minlength=len(pairs))
                for column in weights.T.astype(np.float64)
            ],
            axis=1,
        ).astype(np.float32)
        source, target = np.divmod(pairs, num_items)
        lengths = np.bincount(source, minlength=num_items)
        indptr = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        return cls(indptr, target.astype(np.int32), summed)

    def save(self, folder: Path) -> None:
        """Write one .npy per array into an existing folder."""
        for name in _ARRAYS:
            np.save(folder / f"pair_{name}.npy", getattr(self, name), allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            OSError, ValueError: a file is missing, or no array.
        """
        return cls(*(np.load(folder / f"pair_{name}.npy", allow_pickle=False) for name in _ARRAYS))

    def reach(
        self,
        history: NDArray[np.int64],
        weight: NDArray[np.float32],
        decays: NDArray[np.float32],
    ) -> Reached:
        """Sum up what a history says for each item that any of it speaks for.

        Shapes:
            history: (L,) rows, newest first; repeats add up. weight: (L,). decays: (D,).
        """
        starts = self.indptr[history]
        lengths = self.indptr[history + 1] - starts
        place = np.repeat(np.arange(len(history)), lengths)  # (E,), which history item
        before = np.cumsum(lengths) - lengths
        entry = np.arange(len(place)) - before[place] + starts[place]
        rows, where = np.unique(self.targets[entry], return_inverse=True)
        strength = weight[:, None] * decays[None, :] ** np.arange(len(history))[:, None]  # (L, D)
        edges = self.weights[entry]  # (E, K)
        sums = np.empty((len(rows), edges.shape[1], len(decays)), dtype=np.float32)
        for d in range(len(decays)):
            spoken = edges * strength[place, d, None]
            for k in range(edges.shape[1]):
                sums[:, k, d] = np.bincount(where, weights=spoken[:, k], minlength=len(rows))
        return Reached(rows.astype(np.int64), sums.reshape(len(rows), edges.shape[1] * len(decays)))
