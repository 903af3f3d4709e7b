"""What every peer and baseline answers where it knows nothing of a person: popularity."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.cases import Cases
from training.ranking import Candidates, Ranker


@dataclass(frozen=True)
class Fallback:
    """Rank by `ranker`, and by popularity whom it scores every item the same.

    Equal scores are what somebody gets of whom a ranker knows nothing: an empty history, items
    that it never saw, a person without a vector. As ties count against the target, that would be
    a miss for certain, where any recommender would show what is popular.

    Shapes:
        popularity: (N,) float32, people who chose the item in training.
    """

    ranker: Ranker
    popularity: NDArray[np.float32]

    @property
    def name(self) -> str:
        """The ranker's."""
        return self.ranker.name

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Score what the ranker can tell apart, the rest by popularity."""
        scores = self.ranker.score(cases)
        nothing = scores.min(axis=1) == scores.max(axis=1)  # a score that is no number is neither
        if not nothing.any():
            return scores
        return np.where(nothing[:, None], self.popularity, scores)


def or_popular(ranker: Ranker, candidates: Candidates) -> Fallback:
    """Give a ranker the popularity of a run's items to fall back on."""
    return Fallback(ranker, candidates.popularity.astype(np.float32))
