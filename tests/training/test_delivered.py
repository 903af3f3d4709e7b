"""What is measured of the lists themselves, on lists that are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.cases import Cases
from tests.support.cases import cases_of
from training.delivered import measure_delivered
from training.exposure import miscalibration
from training.measurement import (
    CASES,
    COVERAGE,
    GINI,
    HISTORY_SHARE,
    MISCALIBRATION,
    POPULARITY,
    SHARE,
    TARGET_POPULARITY,
    TARGET_SHARE,
    Measurement,
)
from training.metrics import DEPTH, TOP
from training.ranking import Candidates, Ranking, Scope
from training.slices import Slice

BOOKS, FILMS = 20, 20
LIBRARY = Candidates(
    ("book", "film"),
    np.repeat([0, 1], [BOOKS, FILMS]),
    np.tile(np.arange(1, 21), 2).astype(np.int64),  # row r is the r-th rarest of its type
    np.ones(BOOKS + FILMS, dtype=np.bool_),
)


def percentile(*places: int) -> float:
    """The mean percentile of items at some places of their type, the rarest at 0."""
    return float(np.mean([(place + 0.5) / BOOKS for place in places]))


def measured(
    tops: list[list[int]], cases: Cases, scope: Scope, model: str = "m"
) -> dict[tuple[str, str], Measurement]:
    top = np.full((len(cases), DEPTH), -1, dtype=np.int32)
    for row, items in enumerate(tops):
        top[row, : len(items)] = items
    ranking = Ranking(np.ones(len(cases), dtype=np.int64), top)
    everyone: NDArray[np.bool_] = np.ones(len(cases), dtype=np.bool_)
    part = Slice("part", scope, everyone, BOOKS + FILMS)
    found = measure_delivered(
        part, {model: {scope: ranking}}, cases, LIBRARY, replicates=50, seed=0
    )
    return {(each.model, each.metric): each for each in found}


def test_popularity_is_the_mean_percentile_of_the_first_ten() -> None:
    got = measured([[*range(10, 20), 0], [3, 4]], cases_of([[], []], [19, 3]), Scope.TYPE)
    shown = got["m", POPULARITY]
    assert shown.value == pytest.approx((percentile(*range(10, 20)) + percentile(3, 4)) / 2)
    assert shown.low is not None
    assert shown.high is not None
    assert percentile(3, 4) <= shown.low <= shown.value <= shown.high <= percentile(*range(10, 20))
    assert got[CASES, TARGET_POPULARITY].value == pytest.approx(percentile(19, 3))


def test_a_list_with_several_targets_counts_once_and_a_user_with_two_lists_too() -> None:
    cases = cases_of([[]] * 4, [0, 1, 20, 5], users=[7, 7, 7, 8])
    got = measured([[19], [19], [20], [0]], cases, Scope.TYPE)
    # User 7 has a list of books, twice here, and one of films; user 8 a list of books.
    expected = ((percentile(19) + percentile(0)) / 2 + percentile(0)) / 2
    assert got["m", POPULARITY].value == pytest.approx(expected)
    assert got["m", POPULARITY].users == 2
    assert got["m", COVERAGE[TOP]].value == 3 / 40
    assert got["m", GINI].value == pytest.approx(37 / 40)  # three of forty, once each
    assert (got["m", GINI].low, got["m", GINI].high) == (None, None)


def test_a_user_without_anything_to_show_does_not_count() -> None:
    got = measured([[4], []], cases_of([[], []], [0, 0]), Scope.TYPE)
    assert (got["m", POPULARITY].value, got["m", POPULARITY].users) == (percentile(4), 1)


def test_lists_of_one_type_have_no_mix() -> None:
    got = measured([[4]], cases_of([[1]], [0]), Scope.TYPE)
    assert not [metric for _, metric in got if "share" in metric or metric == MISCALIBRATION]


def test_the_mix_over_all_types_stands_beside_that_of_histories_and_targets() -> None:
    cases = cases_of([[1, 2, 3, 21], [22], []], [0, 30, 31])
    got = measured([[5, 6, 25, 26], [27], [7]], cases, Scope.ALL)
    (apart,) = miscalibration(np.array([[3 / 4, 1 / 4]]), np.array([[1 / 2, 1 / 2]]))
    expected = {
        (CASES, HISTORY_SHARE + "book"): ((3 / 4 + 0) / 2, 2),
        (CASES, TARGET_SHARE + "book"): (1 / 3, 3),
        ("m", SHARE + "book"): ((1 / 2 + 0 + 1) / 3, 3),
        ("m", SHARE + "film"): ((1 / 2 + 1 + 0) / 3, 3),
        ("m", MISCALIBRATION): ((apart + 0) / 2, 2),
    }
    for name, (value, users) in expected.items():
        assert got[name].value == pytest.approx(value), name
        assert got[name].users == users, name


def test_all_targets_of_a_user_are_behind_their_one_list_over_all_types() -> None:
    cases = cases_of([[1], [1]], [0, 30], users=[4, 4])
    got = measured([[5], [5]], cases, Scope.ALL)
    assert got[CASES, TARGET_SHARE + "book"].value == 0.5
    assert got["m", SHARE + "book"].users == 1
    assert got["m", COVERAGE[TOP]].value == 1 / 40
