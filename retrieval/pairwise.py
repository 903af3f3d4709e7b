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

FAINTEST = 1e-3
"""A place of the history whose decay has come below this says nothing any more."""
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
        ends = np.cumsum(lengths)  # entries of the newest item first, then of the one before
        place = np.repeat(np.arange(len(history)), lengths)  # (E,), which history item
        entry = np.arange(len(place)) - (ends - lengths)[place] + starts[place]
        targets = self.targets[entry]
        rows, where = self._distinct(targets)
        edges = self.weights[entry]  # (E, K)
        sums = np.zeros((len(rows), edges.shape[1], len(decays)), dtype=np.float32)
        for d, decay in enumerate(decays):
            strength = weight * decay ** np.arange(len(history))  # (L,)
            heard = self._heard(decay, len(history))
            part = slice(0, int(ends[heard - 1]) if heard else 0)
            spoken = edges[part] * strength[place[part], None]
            for k in range(edges.shape[1]):
                sums[:, k, d] = np.bincount(where[part], spoken[:, k], minlength=len(rows))
        return Reached(rows, sums.reshape(len(rows), edges.shape[1] * len(decays)))

    def _distinct(self, targets: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Number the distinct items among some; what np.unique does, without sorting.

        Shapes:
            targets: (E,). returns: (M,) rows, ascending, and (E,) each target's place there.
        """
        size = len(self.indptr) - 1
        there = np.zeros(size, dtype=np.bool_)
        there[targets] = True
        rows = np.flatnonzero(there)
        place = np.empty(size, dtype=np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        return rows, place[targets]

    @staticmethod
    def _heard(decay: np.float32, length: int) -> int:
        """Count the places of a history that are not yet too faint under a decay."""
        if decay >= 1:
            return length
        return min(length, 1 + int(np.log(FAINTEST) / np.log(decay)))
