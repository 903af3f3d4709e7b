"""From the best candidates to a list: quotas, diversity and exploration, one place at a time.

The list is filled from the top. Each place goes to the open candidate of the highest

    (1 - diversity) * relevance - diversity * closest

where `relevance` is the score, brought to 0 to 1 over the candidates by (score - least) /
(largest - least), or 1 for all where they are equal; where there is exploration, the score with its
noise. `closest` is the largest cosine of the candidate with an item that is in the list already,
and 0 for the first place. Without diversity that is the order of the scores. Equal values are in
the order of the scores. What is open is for the quotas to say (`retrieval.quota`).

Source: Carbonell and Goldstein, The use of MMR, diversity-based reranking, SIGIR 1998,
doi:10.1145/290941.291025; there lambda is our 1 - diversity, and the scores are as they come.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.explore import Exploration, explore, propensities
from retrieval.quota import Places, Quota

POOL_TIMES = 10
POOL_MORE = 300


@dataclass(frozen=True)
class Arrangement:
    """How a list is made of its candidates.

    Raises:
        ValueError: a diversity outside 0 to 1, or two quotas for one type.
    """

    quotas: tuple[Quota, ...] = ()
    diversity: float = 0.0
    """What of the trade-off goes to unlikeness, 0 to 1."""
    exploration: Exploration | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.diversity <= 1:
            raise ValueError(f"diversity: expected 0 to 1, got {self.diversity}")
        types = [quota.item_type for quota in self.quotas]
        if len(set(types)) < len(types):
            raise ValueError(f"quotas: expected one for each type, got types {types}")

    @property
    def ranks_only(self) -> bool:
        """Whether the list is the best k as they come."""
        return not (self.quotas or self.diversity or self.exploration)

    def pool_size(self, k: int) -> int:
        """Count the candidates for k places: k where no place depends on more.

        Else it is ten times k, and no more than 300 above it.
        """
        if not (self.diversity or self.exploration):
            return k
        return min(POOL_TIMES * k, k + POOL_MORE)


RANKED = Arrangement()
"""The best k, best first."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Candidates for one list, best first.

    Shapes:
        rows, item_type: (n,) int64. relevance: (n,), never increasing. vectors: (n, D), unit rows.
    """

    rows: NDArray[np.int64]
    item_type: NDArray[np.int64]
    relevance: NDArray[np.float64]
    vectors: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Arranged:
    """Which candidates are in a list, in its order.

    Shapes:
        places: (m,) int64, in the pool. propensity: (m,), how likely each was to come there given
            those in front of it; None where nothing was left to chance, and where diversity or
            quotas interfere, so that nobody knows.
    """

    places: NDArray[np.int64]
    propensity: NDArray[np.float64] | None = None


def arrange(pool: Pool, k: int, wish: Arrangement) -> Arranged:
    """Fill the k places of a list, fewer where the candidates or the quotas end before."""
    relevance = pool.relevance
    if wish.exploration is not None:
        relevance = explore(relevance, pool.rows, wish.exploration)
    order = np.argsort(-relevance, kind="stable")
    if wish.quotas or wish.diversity:
        return Arranged(order[_filled(pool, order, relevance[order], k, wish)])
    chosen = order[:k]
    if wish.exploration is None:
        return Arranged(chosen)
    temperature = wish.exploration.temperature
    return Arranged(chosen, propensities(pool.relevance, chosen, temperature))


def _filled(
    pool: Pool,
    order: NDArray[np.int64],
    relevance: NDArray[np.float64],
    k: int,
    wish: Arrangement,
) -> NDArray[np.int64]:
    """Fill one place after the other.

    Shapes:
        order: (n,), places in the pool, best first. relevance: (n,), in that order.
        returns: (m,), places in `order`.
    """
    item_type = pool.item_type[order]
    alike = pool.vectors[order] @ pool.vectors[order].T if wish.diversity else None  # (n, n)
    worth = (1 - wish.diversity) * _from_0_to_1(relevance) if wish.diversity else relevance
    closest = np.zeros(len(order), dtype=np.float32)
    free = np.ones(len(order), dtype=np.bool_)
    places = Places(wish.quotas, item_type, k)
    chosen: list[int] = []
    while len(chosen) < k:
        candidates = np.flatnonzero(free & places.open_types()[item_type])
        if not len(candidates):
            break
        best = int(candidates[np.argmax((worth - wish.diversity * closest)[candidates])])
        if alike is not None:
            closest = np.maximum(closest, alike[best]) if chosen else alike[best]
        places.take(int(item_type[best]))
        free[best] = False
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)


def _from_0_to_1(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Stretch values to 0 to 1; ones where they are all equal. Shapes: (n,), returns (n,)."""
    if not len(values) or values.max() == values.min():
        return np.ones(len(values))
    stretched: NDArray[np.float64] = (values - values.min()) / (values.max() - values.min())
    return stretched
