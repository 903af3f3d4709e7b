"""Learned edge weights: how much an item in somebody's history speaks for another one.

Every item j is explained by the items S that may speak for it, by ridge regression:

    w_j = argmin |Y_j - X_S w|^2 + ridge |w|^2 = (A_SS + ridge I)^-1 B_Sj,    A = X'X, B = X'Y

An item that only repeats what another one says gets little weight, which counting people alone
cannot see. `w_j[i]` is what i says for j. Two questions are asked in this way:

- of sets (`set_moments`): X = Y, the binary matrix of people and items;
- of sequences (`graph.succession`): X what came before a choice, faded, and Y the choice.

Source: SLIM with a neighbourhood given (fsSLIM, Ning and Karypis, ICDM 2011,
doi:10.1109/ICDM.2011.134), with the squared loss in closed form as in EASE (Steck, WWW 2019,
arXiv 1905.03375); no sign constraint. Where every item may speak for every other, the first is
EASE, and the second close to SLIT of Choi et al. (WWW 2021, arXiv 2103.16104).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

_PROGRESS_EVERY = 1000


@dataclass(frozen=True)
class Moments:
    """What the regressions read of X and Y.

    Shapes:
        among: (N, N), A = X'X. of: (N, N), B = X'Y; column j is what is asked of item j.
    """

    among: sp.csr_array
    of: sp.csr_array


@dataclass(frozen=True)
class Speakers:
    """For each item the items that may speak for it, ascending, as CSR arrays.

    Shapes:
        indptr: (N + 1,) int64. items: (E,) int64.
    """

    indptr: NDArray[np.int64]
    items: NDArray[np.int64]

    @classmethod
    def of_pairs(cls, owner: NDArray[np.int64], speaker: NDArray[np.int64], num_items: int) -> Self:
        """Take pairs in any order; repeats count once, and no item speaks for itself."""
        key = np.unique((owner * num_items + speaker)[owner != speaker])
        owners, speakers = np.divmod(key, num_items)
        counts = np.bincount(owners, minlength=num_items)
        return cls(np.concatenate(([0], np.cumsum(counts))).astype(np.int64), speakers)

    @property
    def owner(self) -> NDArray[np.int64]:
        """The item that each entry speaks for. Shapes: returns (E,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


def set_moments(user: NDArray[np.int64], item: NDArray[np.int64], num_items: int) -> Moments:
    """Count for each pair of items the people of both; the diagonal counts those of one.

    Shapes:
        user, item: (P,), each person's distinct items.
    """
    people = int(user.max(initial=-1)) + 1
    ones = np.ones(len(user), dtype=np.float32)
    matrix = sp.csr_array((ones, (user, item)), shape=(people, num_items))
    gram = sp.csr_array(matrix.T @ matrix)
    gram.sort_indices()
    return Moments(gram, gram)


def learn_influence(
    speakers: Speakers,
    moments: Moments,
    ridge: float,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Learn what each speaker says for its item. Shapes: returns (E,).

    Raises:
        ValueError: `ridge` is not positive.
    """
    if not ridge > 0:
        raise ValueError(f"ridge: expected more than 0, got {ridge}")
    learned = np.zeros(len(speakers.items), dtype=np.float32)
    asked = sp.csr_array(moments.of.T)
    total = len(speakers.indptr) - 1
    for row in range(total):
        entries = slice(speakers.indptr[row], speakers.indptr[row + 1])
        near = speakers.items[entries]
        if len(near):
            learned[entries] = _explain(moments.among, asked, row, near, ridge)
        if on_progress is not None and (row + 1) % _PROGRESS_EVERY == 0:
            on_progress(row + 1, total)
    return learned


def _explain(
    among: sp.csr_array, asked: sp.csr_array, row: int, near: NDArray[np.int64], ridge: float
) -> NDArray[np.float64]:
    """Solve one item's regression on its speakers. Shapes: near (K,), returns (K,)."""
    inner = among[near][:, near].toarray().astype(np.float64)  # (K, K)
    inner[np.diag_indices(len(near))] += ridge
    own = asked[[row]][:, near].toarray()[0].astype(np.float64)
    weights: NDArray[np.float64] = np.linalg.solve(inner, own)
    return weights
