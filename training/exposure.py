"""Lists as they are shown -> how concentrated they are, and how they mix the item types."""

import numpy as np
from numpy.typing import NDArray

SMOOTHING = 0.01
"""Share of the wanted mix that is blended into the shown one, so that no type is infinitely far."""


def coverage(top: NDArray[np.int32], catalogue_size: int) -> float:
    """Share of the catalogue that appears in at least one of the lists.

    It depends on how many lists there are and is a plain count of these very lists, not a mean
    over users; so it has no interval.

    Shapes:
        top: (L, K) item rows, -1 where a list is shorter.
    """
    return len(np.unique(top[top >= 0])) / catalogue_size


def gini(top: NDArray[np.int32], catalogue_size: int) -> float:
    """Measure how unequally the places of the lists are shared out among the catalogue's items.

    0 where every item is shown equally often, (n - 1) / n where one of n items takes every
    place. Items that are never shown count; so, like coverage, it depends on how many lists
    there are and has no interval.

        G = Σ over i of (2i - n - 1) x_i  ÷  n Σ x_i,   x_1 ≤ … ≤ x_n times shown

    Shapes:
        top: (L, K) item rows, -1 where a list is shorter. Without a place to share out, 0.
    """
    _, shown = np.unique(top[top >= 0], return_counts=True)
    if len(shown) == 0:
        return 0.0
    rank = np.arange(catalogue_size - len(shown) + 1, catalogue_size + 1)  # the others have x = 0
    weighted = ((2 * rank - catalogue_size - 1) * np.sort(shown)).sum()
    return float(weighted / (catalogue_size * shown.sum()))


def mixes(
    owner: NDArray[np.int64], types: NDArray[np.int64], owners: int, num_types: int
) -> NDArray[np.float64]:
    """Share of each type in what each owner has; rows of zeros where that is nothing.

    Shapes:
        owner, types: (E,), an entry per item. returns: (owners, num_types).
    """
    count = np.bincount(owner * num_types + types, minlength=owners * num_types)
    count = count.reshape(owners, num_types)
    share: NDArray[np.float64] = count / np.maximum(count.sum(axis=1, keepdims=True), 1)
    return share


def miscalibration(
    consumed: NDArray[np.float64], shown: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divergence of the mix that is shown from the mix that was consumed, in nats.

        KL = Σ over types t of p_t log (p_t / q̃_t),   q̃ = (1 - 0.01) q + 0.01 p

    0 where both are the same; somebody who is shown nothing of what they consumed has
    log 100 = 4.6.

    Shapes:
        consumed, shown: (U, T), p and q, rows that sum to 1. returns: (U,).

    Source: Steck, RecSys 2018, doi:10.1145/3240323.3240372, there for genres.
    """
    blended = (1.0 - SMOOTHING) * shown + SMOOTHING * consumed
    ratio = np.divide(consumed, blended, out=np.ones_like(consumed), where=consumed > 0)
    divergence: NDArray[np.float64] = (consumed * np.log(ratio)).sum(axis=1)
    return np.maximum(divergence, 0.0)
