"""Percentiles and fifths of popularity, against answers found by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from training.popularity import fifths, percentiles


def ints(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, dtype=np.int64)


def test_a_percentile_is_the_share_that_an_item_is_more_popular_than_half_of_its_equals() -> None:
    got = percentiles(ints(4, 1, 1, 9), ints(0, 0, 0, 0))
    # Below 4 are two, below 9 three of four; the two equals share the first half.
    np.testing.assert_allclose(got, [2.5 / 4, 1 / 4, 1 / 4, 3.5 / 4])


def test_percentiles_are_those_of_the_type_and_nobodys_item_stands_at_zero() -> None:
    got = percentiles(ints(5, 1, 0, 100, 300), ints(0, 0, 0, 1, 1))
    np.testing.assert_allclose(got, [0.75, 0.25, 0.0, 0.25, 0.75])


def test_a_type_that_nobody_chose_from_has_no_percentiles() -> None:
    assert percentiles(ints(0, 0), ints(0, 0)).tolist() == [0.0, 0.0]


def test_each_fifth_is_behind_a_fifth_of_the_interactions() -> None:
    # Of twenty interactions the levels 1 to 5 have 4, 4, 3, 4 and 5.
    popularity = ints(1, 1, 1, 1, 2, 2, 4, 3, 5)
    got = fifths(popularity, np.zeros(9, dtype=np.int64))
    assert got.tolist() == [1, 1, 1, 1, 2, 2, 4, 3, 5]


def test_items_of_equal_popularity_stay_together() -> None:
    got = fifths(np.full(50, 3), np.zeros(50, dtype=np.int64))
    assert got.tolist() == [3] * 50


def test_fifths_are_sorted_type_by_type_and_nobodys_item_is_in_none() -> None:
    alone = fifths(ints(1, 2, 3, 4, 5), ints(0, 0, 0, 0, 0))
    both = fifths(ints(1, 2, 3, 4, 5, 0, 10, 20, 30, 40, 50), ints(*[0] * 6, *[1] * 5))
    assert both.tolist() == [*alone, 0, *alone]


def test_fifths_of_many_items_hold_about_as_many_interactions_each() -> None:
    popularity = 1 + np.random.default_rng(0).lognormal(3, 1, 5000).astype(np.int64)
    group = fifths(popularity, np.zeros(5000, dtype=np.int64))
    share = np.bincount(group, weights=popularity, minlength=6)[1:] / popularity.sum()
    assert share.tolist() == pytest.approx([0.2] * 5, abs=0.01)
    edges = [(popularity[group == n].min(), popularity[group == n].max()) for n in range(1, 6)]
    assert all(edges[n][1] < edges[n + 1][0] for n in range(4))
