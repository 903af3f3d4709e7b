"""EASE: linear item-item weights in closed form, as a ranker to stand beside the model."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.cases import Cases
from training.baselines import history_matrix

_BLOCK = 1024  # items whose column of a product is held densely at a time


@dataclass(frozen=True)
class Ease:
    """Linear item-item weights in closed form, with a zero diagonal.

        P = (XᵀX + λI)⁻¹,   B = I - P · diag(1 / diag P),   scores = history · B

    The inverse is dense: 4·N² bytes (1.6 GB for 20,000 items) and about N³ multiply-adds, done in
    place. Items that nobody touched have no weights and are left out of it, and so are all but
    the `max_items` most popular; the items left out score 0.

    Shapes:
        items: (M,) int64, the rows that have weights, ascending.
        weights: (M, M) float32.
        num_items: N.

    Source: Steck, WWW 2019, doi:10.1145/3308558.3313710.
    """

    items: NDArray[np.int64]
    weights: NDArray[np.float32] = field(repr=False)
    num_items: int
    decay: float = 1.0
    """Weight of a history item for each newer one when scoring; 1 is the paper's."""
    name: str = "EASE"

    @classmethod
    def fit(cls, matrix: sp.csr_array, *, ridge: float = 500.0, max_items: int = 25_000) -> Self:
        """Invert the regularised item-item matrix.

        Raises:
            ValueError: `ridge` is not positive, so that the inverse need not exist.
        """
        if ridge <= 0:
            raise ValueError(f"EASE needs a ridge above 0, got {ridge}")
        users = np.asarray(matrix.sum(axis=0))
        by_popularity = np.argsort(-users, kind="stable")[:max_items]
        items = np.sort(by_popularity[users[by_popularity] > 0])
        weights = _regularised_gram(matrix[:, items], ridge)
        _invert_in_place(weights)
        scale = -1.0 / np.diag(weights)
        weights *= scale[None, :]
        np.fill_diagonal(weights, 0.0)
        return cls(items=items, weights=weights, num_items=matrix.shape[1])

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Apply the weights to the history."""
        history = history_matrix(cases, self.num_items, decay=self.decay)[:, self.items]
        scores = np.zeros((len(cases), self.num_items), dtype=np.float32)
        scores[:, self.items] = history @ self.weights
        return scores


def _regularised_gram(matrix: sp.csr_array, ridge: float) -> NDArray[np.float32]:
    size = matrix.shape[1]
    gram = np.empty((size, size), dtype=np.float32)
    by_item = sp.csr_array(matrix.T)
    for start in range(0, size, _BLOCK):
        gram[start : start + _BLOCK] = (by_item[start : start + _BLOCK] @ matrix).toarray()
    gram[np.diag_indices(size)] += np.float32(ridge)
    return gram


def _invert_in_place(gram: NDArray[np.float32]) -> None:
    """Replace a symmetric positive definite matrix by its inverse, without a second matrix."""
    # The transpose of a C-ordered array is what LAPACK calls column-major: no copy is made.
    factorise, invert = scipy.linalg.get_lapack_funcs(("potrf", "potri"), (gram,))
    _, failed = factorise(gram.T, lower=1, clean=0, overwrite_a=1)
    if not failed:
        _, failed = invert(gram.T, lower=1, overwrite_c=1)
    if failed:
        raise np.linalg.LinAlgError(f"EASE: item-item matrix not positive definite at {failed}")
    size = len(gram)  # so far only the triangle above the diagonal is the inverse's
    for start in range(0, size, _BLOCK):
        stop = min(start + _BLOCK, size)
        gram[stop:, start:stop] = gram[start:stop, stop:].T
        corner = gram[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
