"""Numbers that look drawn but follow from what they are made of: 64 bits in, 64 bits out."""

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def scramble(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble each number: no two become one, and neighbours come out far apart.

    Shapes:
        numbers: (...). returns: (...).

    Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014,
    doi:10.1145/2660193.2660195 (SplitMix64).
    """
    mixed = numbers + _STEP  # wraps round, as all that follows
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
    scrambled: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return scrambled
