"""Which of many lent cases decide: as many of every item type, as far as there are so many."""

import numpy as np
from numpy.typing import NDArray


def draw_evenly(
    item_type: NDArray[np.int64], most: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw cases so that no type has more than another that has cases left.

    Where most cases are of one type, what is best for that type alone would decide otherwise, and
    towers that stop when it is learned have long learned a scarce type by heart.

    Shapes:
        item_type: (C,), the type of each case's target.
        returns: (n,), positions of cases, ascending; all of them where `most` allows.
    """
    order = rng.permutation(len(item_type))
    types, count = np.unique(item_type, return_counts=True)
    drawn: list[NDArray[np.int64]] = []
    left = most
    for number, place in enumerate(np.argsort(count, kind="stable")):  # the scarcest first
        of_type = order[item_type[order] == types[place]]
        drawn.append(of_type[: left // (len(types) - number)])
        left -= len(drawn[-1])
    return np.sort(np.concatenate(drawn)) if drawn else order
