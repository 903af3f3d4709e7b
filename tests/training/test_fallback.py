"""Where a ranker knows nothing of a person, popularity answers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.cases import Cases
from tests.support.cases import cases_of
from training.baselines import ItemCosine, VectorKnn
from training.ease import Ease
from training.fallback import or_popular
from training.id_vectors import IdVectorRanker
from training.ranking import Candidates, Ranker, RankingError, Scope, rank

TOUCHED = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0]], dtype=np.float32)
POPULARITY = np.array([2, 3, 2, 0])
CANDIDATES = Candidates(("item",), np.zeros(4, np.int64), POPULARITY, POPULARITY > 0)
PEOPLE = np.array([[1.0, 0.5], [0.0, 0.0]], dtype=np.float32)
ITEMS = np.array([[0.1, 0.0], [0.2, 0.0], [0.9, 0.1], [0.5, 0.5]], dtype=np.float32)


def id_vectors(_: sp.csr_array) -> Ranker:
    """Knows the person of row 0, not the one of row 1."""
    familiar = np.array([True, True, True, False])
    return IdVectorRanker("ids", ITEMS, familiar, lambda cases: PEOPLE[cases.user_row])


@pytest.mark.parametrize(
    "fit",
    [
        lambda matrix: VectorKnn("knn", matrix.toarray().T),
        ItemCosine.fit,
        lambda matrix: Ease.fit(matrix, ridge=1.0),
        id_vectors,
    ],
    ids=["knn", "cosine", "ease", "ids"],
)
def test_people_of_whom_nothing_is_known_are_ranked_by_popularity(
    fit: Callable[[sp.csr_array], Ranker],
) -> None:
    plain = fit(sp.csr_array(TOUCHED))
    ranker = or_popular(plain, CANDIDATES)
    cases = cases_of([[0], []], [2, 1], users=[0, 1])
    scores = ranker.score(cases)
    np.testing.assert_array_equal(scores[0], plain.score(cases)[0])
    np.testing.assert_array_equal(scores[1], CANDIDATES.popularity)
    assert rank(plain, cases, CANDIDATES)[Scope.TYPE].rank[1] == 4
    assert rank(ranker, cases, CANDIDATES)[Scope.TYPE].rank[1] == 1
    assert ranker.name == plain.name


def test_items_of_the_history_that_nobody_touched_say_nothing() -> None:
    plain = Ease.fit(sp.csr_array(TOUCHED), ridge=1.0)
    scores = or_popular(plain, CANDIDATES).score(cases_of([[3]], [0]))
    np.testing.assert_array_equal(scores[0], CANDIDATES.popularity)


@dataclass(frozen=True)
class Broken:
    """Scores nothing but no numbers."""

    name: str = "broken"

    def score(self, cases: Cases) -> NDArray[np.float32]:
        return np.full((len(cases), 4), np.nan, dtype=np.float32)


def test_scores_that_are_no_numbers_are_not_covered_up() -> None:
    with pytest.raises(RankingError, match="broken: expected finite scores"):
        rank(or_popular(Broken(), CANDIDATES), cases_of([[]], [0]), CANDIDATES)
