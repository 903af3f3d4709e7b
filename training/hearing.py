"""A ranker that hears less of the histories than there is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from graph.cases import Cases
from training.ranking import SelectiveRanker


@dataclass(frozen=True)
class Hearing:
    """Rank by `ranker`, which is shown what `hear` leaves of the cases.

    What may be recommended stays as it is.
    """

    ranker: SelectiveRanker
    hear: Callable[[Cases], Cases]

    @property
    def name(self) -> str:
        """The ranker's."""
        return self.ranker.name

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Score for what is left."""
        return self.ranker.score(self.hear(cases))

    def score_among(self, cases: Cases, admitted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Score for what is left, where some items alone are asked for."""
        return self.ranker.score_among(self.hear(cases), admitted)
