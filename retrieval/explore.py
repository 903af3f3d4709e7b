"""Chance in a ranking that can be repeated: Gumbel noise by seed and row, and what it makes likely.

Where every candidate's score over the temperature gets Gumbel noise of its own and the list is
sorted by the sum, the list is a draw from the Plackett-Luce model: the first place goes to a
candidate with the chance that softmax(score / temperature) gives it, and each further place in the
same way among those that are left.

Sources: Luce, Individual Choice Behavior, 1959; Plackett, Applied Statistics 24, 1975; for the
noise Yellott, J. Mathematical Psychology 15, 1977; Kool, van Hoof and Welling, ICML 2019,
arXiv:1903.06059.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.scramble import scramble


@dataclass(frozen=True)
class Exploration:
    """How much is left to chance.

    Raises:
        ValueError: a temperature that is not above 0, or a seed that 64 bits cannot hold.
    """

    temperature: float
    """In the unit of the scores: an item whose score is lower by this much comes first e times less
    often. Larger: nearer to a lottery."""

    seed: int
    """Equal seeds give equal lists, from 0 to 2**64 - 1."""

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ValueError(f"temperature: expected a number above 0, got {self.temperature}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"seed: expected 0 to 2**64 - 1, got {self.seed}")


def explore(
    relevance: NDArray[np.float64], rows: NDArray[np.int64], exploration: Exploration
) -> NDArray[np.float64]:
    """Add to each candidate's score its noise, in the unit of the scores.

    The noise of a row depends on the seed and the row alone, so it is the same whatever the other
    candidates are.

    Shapes:
        relevance, rows: (n,). returns: (n,).
    """
    seed = scramble(np.array([exploration.seed], dtype=np.uint64))
    bits = scramble(seed ^ rows.astype(np.uint64)) >> np.uint64(11)
    uniform = (bits.astype(np.float64) + 0.5) * 2.0**-53  # strictly between 0 and 1
    noisy: NDArray[np.float64] = relevance - exploration.temperature * np.log(-np.log(uniform))
    return noisy


def propensities(
    relevance: NDArray[np.float64], chosen: NDArray[np.int64], temperature: float
) -> NDArray[np.float64]:
    """Tell how likely each place's item was to come there, given those in front of it.

    Their product is the chance of the whole list.

    Shapes:
        relevance: (n,), of all candidates, before the noise. chosen: (k,), places in it, in the
            order of the list. returns: (k,), between 0 and 1.
    """
    worth = relevance / temperature
    others = np.setdiff1d(np.arange(len(worth)), chosen, assume_unique=True)
    ordered = worth[np.concatenate((chosen, others))]
    left = np.logaddexp.accumulate(ordered[::-1])[::-1]  # (n,), of this place and all behind it
    chances: NDArray[np.float64] = np.exp(ordered - left)[: len(chosen)]
    return chances
