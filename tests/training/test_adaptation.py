"""The stopping rule of the adaptation, by hand."""

import numpy as np
import pytest

from tests.support.cases import cases_of
from training.adaptation import mean_reciprocal_rank

ITEMS = np.array([[1.0, 0.0], [0.9, 0.1], [0.8, 0.2], [0.0, 1.0]], dtype=np.float32)
TYPES = np.array([0, 0, 0, 1])
EAST = np.array([[1.0, 0.0]], dtype=np.float32)


@pytest.mark.parametrize(
    ("history", "target", "expected"),
    [
        ([], 2, 1 / 3),
        ([0], 2, 1 / 2),  # an item of the history is no candidate
        ([0, 1], 2, 1.0),
        ([], 3, 1.0),  # alone in its type
        ([2], 2, 0.0),  # cannot be found again
    ],
)
def test_history_and_other_types_are_no_candidates(
    history: list[int], target: int, expected: float
) -> None:
    score = mean_reciprocal_rank(EAST, ITEMS, cases_of([history], [target]), TYPES)
    assert score == pytest.approx(expected)


def test_nobody_to_ask_scores_zero() -> None:
    nobody = np.zeros((0, 2), dtype=np.float32)
    assert mean_reciprocal_rank(nobody, ITEMS, cases_of([], []), TYPES) == 0.0


@pytest.mark.parametrize(
    ("barred", "target", "expected"),
    [
        ([], 2, 1 / 3),  # what was only looked at stays a candidate
        ([], 0, 1.0),  # and can be found again
        ([1], 2, 1 / 2),  # turned away from: in no history, and no candidate
    ],
)
def test_what_is_heard_does_not_bar(barred: list[int], target: int, expected: float) -> None:
    cases = cases_of([[0]], [target], barred=[barred])
    assert mean_reciprocal_rank(EAST, ITEMS, cases, TYPES) == pytest.approx(expected)
