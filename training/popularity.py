"""How many people chose each item -> where it stands among the items of its type."""

import numpy as np
from numpy.typing import NDArray

FIFTHS = 5


def percentiles(popularity: NDArray[np.int64], item_type: NDArray[np.int64]) -> NDArray[np.float64]:
    """Say which share of the chosen items of its type an item is more popular than.

    Of items as popular as itself, itself included, half count. An item nobody chose stands
    at 0; it does not count among the chosen ones.

    Shapes:
        popularity, item_type: (N,). returns: (N,), 0 … 1.
    """
    found = np.zeros(len(popularity))
    for number in np.unique(item_type):
        rows = np.flatnonzero(item_type == number)
        chosen = np.sort(popularity[rows][popularity[rows] > 0])
        below = np.searchsorted(chosen, popularity[rows], side="left")
        up_to = np.searchsorted(chosen, popularity[rows], side="right")
        found[rows] = (below + up_to) / max(2 * len(chosen), 1)
    return found


def fifths(popularity: NDArray[np.int64], item_type: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sort the items of each type into five groups, each behind a fifth of the interactions.

    Equal interactions and not equal numbers of items, as is usual for recommenders: fifths
    of the items would put nearly every target into the last group. An item belongs where the
    middle of the interactions with its equals lies; items chosen by equally many people
    stay together, so a group may hold somewhat more or less than a fifth.

    Shapes:
        popularity, item_type: (N,). returns: (N,), 1 the rarest … 5, or 0 if nobody chose it.

    Source: Wu et al., SIGIR 2021, doi:10.1145/3404835.3462862 (there ten
    groups, whatever the type).
    """
    found = np.zeros(len(popularity), dtype=np.int64)
    for number in np.unique(item_type):
        rows = np.flatnonzero((item_type == number) & (popularity > 0))
        levels, level, count = np.unique(popularity[rows], return_inverse=True, return_counts=True)
        chosen = levels * count  # interactions with the items of each level
        total = max(int(chosen.sum()), 1)
        twice_middle = 2 * np.cumsum(chosen) - chosen
        found[rows] = (1 + twice_middle * FIFTHS // (2 * total))[level]
    return found
