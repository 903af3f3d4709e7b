"""Learned edge weights: how much an item in somebody's history speaks for each of its neighbours.

Every item j is explained by its neighbours S in the item graph, by ridge regression on the
binary matrix X of people and items:

    w_j = argmin |X_j - X_S w|^2 + ridge |w|^2 = (G_SS + ridge I)^-1 G_Sj,    G = X' X

A neighbour that only repeats what another one says gets little weight, which counting people
alone cannot see. The entries of w_j belong to j's lists: `w_j[i]` is what i says for j.

Source: SLIM with a neighbourhood given (fsSLIM, Ning and Karypis, ICDM 2011,
doi:10.1109/ICDM.2011.134), with the squared loss in closed form as in EASE (Steck, WWW 2019,
arXiv 1905.03375); no sign constraint. Where every item is everybody's neighbour, it is EASE.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.item_graph import ItemGraph

_PROGRESS_EVERY = 1000


def learn_influence(
    graph: ItemGraph,
    user: NDArray[np.int64],
    item: NDArray[np.int64],
    ridge: float,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float32]:
    """Learn what each neighbour in the lists of `graph` says for the list's owner.

    Content relations have nobody behind them and get 0.

    Shapes:
        user, item: (P,), each person's distinct items.
        returns: (E,), one weight per entry of `graph.neighbours`.

    Raises:
        ValueError: `ridge` is not positive.
    """
    if not ridge > 0:
        raise ValueError(f"ridge: expected more than 0, got {ridge}")
    learned = np.zeros(len(graph.neighbours), dtype=np.float32)
    gram = _gram(user, item, graph.num_items)
    rows = np.arange(graph.num_items)
    lists = graph.lists(rows)[:, : len(graph.item_types)]  # (N, T), without content relations
    starts, ends = graph.indptr[lists], graph.indptr[lists + 1]
    for row in rows:
        spans = [np.arange(*span) for span in zip(starts[row], ends[row], strict=True)]
        entries = np.concatenate(spans)
        if len(entries):
            near = graph.neighbours[entries].astype(np.int64)
            learned[entries] = _explain(gram, int(row), near, ridge)
        if on_progress is not None and (row + 1) % _PROGRESS_EVERY == 0:
            on_progress(int(row) + 1, graph.num_items)
    return learned


def _gram(user: NDArray[np.int64], item: NDArray[np.int64], num_items: int) -> sp.csr_array:
    """Count for each pair of items the people of both; the diagonal counts those of one."""
    people = int(user.max(initial=-1)) + 1
    ones = np.ones(len(user), dtype=np.float32)
    matrix = sp.csr_array((ones, (user, item)), shape=(people, num_items))
    gram = sp.csr_array(matrix.T @ matrix)
    gram.sort_indices()
    return gram


def _explain(
    gram: sp.csr_array, row: int, near: NDArray[np.int64], ridge: float
) -> NDArray[np.float64]:
    """Solve one item's regression on its neighbours. Shapes: near (K,), returns (K,)."""
    among = gram[near][:, near].toarray().astype(np.float64)  # (K, K)
    among[np.diag_indices(len(near))] += ridge
    own = gram[[row]][:, near].toarray()[0].astype(np.float64)
    weights: NDArray[np.float64] = np.linalg.solve(among, own)
    return weights
