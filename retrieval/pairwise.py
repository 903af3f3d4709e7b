"""The pairwise channel: from the items of a history to what they speak for.

A candidate j of a history h_0, h_1, ... (0 is the newest) has, for every kind k of edge weight
and every decay d, the sum

    f(j, k, d) = sum over p of d^p * weight_p * edge_k(h_p, j)

What the sums are worth is for `models.scorer` to say.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

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
        sums: (M, K * D) float32, the sums of edge kind k under decay d in column k * D + d; each
            column lies in one piece of memory.
        place: (N,) int64, where an item stands in `rows`; -1 for an item that is not reached.
    """

    rows: NDArray[np.int64]
    sums: NDArray[np.float32]
    place: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Look up the sums of some items, 0 where nothing speaks for them.

        Shapes:
            rows: (n,). returns: (n, K * D), each column in one piece of memory.
        """
        if not len(self.rows):
            return np.zeros((len(rows), self.sums.shape[1]), dtype=np.float32)
        place = self.place[rows]
        found = self.sums.T.take(place, axis=1)  # (K * D, n)
        found[:, place < 0] = 0
        return found.T


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

    def keep(self, kept: NDArray[np.bool_]) -> Self:
        """Copy the table with some of its pairs. Shapes: kept (P,)."""
        before = np.concatenate(([0], np.cumsum(kept))).astype(np.int64)
        return type(self)(before[self.indptr], self.targets[kept], self.weights[kept])

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
        ends = self.indptr[history + 1]
        pieces = [slice(*each) for each in zip(starts.tolist(), ends.tolist(), strict=True)]
        targets = _joined(self.targets, pieces).astype(np.int64)  # (E,), of the newest item first
        edges = _joined(self.weights, pieces)  # (E, K)
        rows, place = self._distinct(targets)
        where = place[targets]
        lengths = ends - starts
        kinds = edges.shape[1]
        sums = np.zeros((kinds, len(decays), len(rows)), dtype=np.float32)
        for d, decay in enumerate(decays):
            places = heard(decay, len(history))
            strength = weight[:places] * decay ** np.arange(places, dtype=np.float32)
            faded = np.repeat(strength, lengths[:places])  # (e,), the entries that are heard
            spoken = np.empty((kinds, len(faded)), dtype=np.float32)
            np.multiply(edges[: len(faded)].T, faded, out=spoken)
            for k in range(kinds):
                np.add.at(sums[k, d], where[: len(faded)], spoken[k])
        return Reached(rows, sums.reshape(kinds * len(decays), len(rows)).T, place)

    def _distinct(self, targets: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the distinct items among some, without sorting, and where each item stands there.

        Shapes:
            targets: (E,). returns: (M,) rows, ascending, and (N,), -1 for an item that is none.
        """
        size = len(self.indptr) - 1
        there = np.zeros(size, dtype=np.bool_)
        there[targets] = True
        rows = np.flatnonzero(there)
        place = np.full(size, -1, dtype=np.int64)
        place[rows] = np.arange(len(rows))
        return rows, place


def heard(decay: np.float32, length: int) -> int:
    """Count the places of a history that are not yet too faint under a decay."""
    if decay >= 1:
        return length
    return min(length, 1 + int(np.log(FAINTEST) / np.log(decay)))


_Number = TypeVar("_Number", bound=np.generic)


def _joined(array: NDArray[_Number], pieces: list[slice]) -> NDArray[_Number]:
    """Put some pieces of an array one behind the other."""
    return np.concatenate([array[piece] for piece in pieces] or [array[:0]])
