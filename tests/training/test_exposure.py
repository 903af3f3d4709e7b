"""Concentration and mix of lists, against answers found by hand."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from training.exposure import coverage, gini, miscalibration, mixes


def lists(*rows: list[int]) -> NDArray[np.int32]:
    return np.array(rows, dtype=np.int32)


def test_coverage_counts_each_item_once_and_no_padding() -> None:
    assert coverage(lists([3, 1, -1], [1, 2, 3]), 12) == 3 / 12


def test_equal_exposure_has_no_inequality() -> None:
    assert gini(lists([0, 1], [2, 3], [1, 0], [3, 2]), 4) == 0.0


def test_one_item_that_takes_every_place_leaves_the_most_there_is() -> None:
    assert gini(lists([7], [7], [7]), 10) == pytest.approx(9 / 10)


def test_items_never_shown_count() -> None:
    # Shown 0, 0, 1 and 3 times: (-3·0 - 1·0 + 1·1 + 3·3) / (4·4).
    assert gini(lists([2, 3], [3, -1], [3, -1]), 4) == pytest.approx(10 / 16)


def test_gini_is_the_mean_difference_of_all_pairs_over_twice_the_mean() -> None:
    top = np.random.default_rng(1).integers(0, 30, (40, 10)).astype(np.int32)
    times = np.bincount(top.ravel(), minlength=50).astype(np.float64)
    slow = np.abs(times[:, None] - times[None, :]).mean() / (2 * times.mean())
    assert gini(top, 50) == pytest.approx(slow)


def test_lists_without_an_item_share_nothing_out() -> None:
    assert gini(lists([-1, -1]), 5) == 0.0


def test_a_mix_is_each_owners_share_of_each_type() -> None:
    owner, types = np.array([0, 0, 0, 2]), np.array([1, 1, 0, 0])
    got = mixes(owner, types, 3, 2)
    np.testing.assert_allclose(got, [[1 / 3, 2 / 3], [0.0, 0.0], [1.0, 0.0]])


def test_the_same_mix_is_calibrated_and_nothing_of_it_is_a_hundredfold_off() -> None:
    consumed = np.array([[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]])
    shown = np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]])
    got = miscalibration(consumed, shown)
    assert got.tolist() == pytest.approx([0.0, 0.0, math.log(100)])


def test_miscalibration_of_a_lost_minority_by_hand() -> None:
    (got,) = miscalibration(np.array([[0.7, 0.3]]), np.array([[1.0, 0.0]]))
    blended = (0.99 + 0.01 * 0.7, 0.01 * 0.3)
    assert got == pytest.approx(0.7 * math.log(0.7 / blended[0]) + 0.3 * math.log(0.3 / blended[1]))
