"""Which lent cases decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.drawing import draw_evenly


@pytest.mark.parametrize(
    ("counts", "most", "expected"),
    [
        ((100, 10), 20, (10, 10)),
        ((100, 10), 60, (50, 10)),
        ((10, 100, 40), 60, (10, 25, 25)),
        ((10, 100), 500, (10, 100)),
        ((7,), 3, (3,)),
        ((50, 50), 21, (10, 11)),
        ((5, 5), 0, (0, 0)),
    ],
)
def test_no_type_has_more_than_another_that_has_cases_left(
    counts: tuple[int, ...], most: int, expected: tuple[int, ...]
) -> None:
    types = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    drawn = draw_evenly(types, most, np.random.default_rng(1))
    assert np.bincount(types[drawn], minlength=len(counts)).tolist() == list(expected)


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(0, 70))
def test_positions_are_distinct_ascending_and_as_many_as_allowed(
    types: list[int], most: int
) -> None:
    item_type = np.array(types, dtype=np.int64)
    drawn = draw_evenly(item_type, most, np.random.default_rng(0))
    assert len(drawn) == min(most, len(types))
    assert (np.diff(drawn) > 0).all()
    assert drawn.dtype == np.int64
    if len(types) <= most:
        assert np.array_equal(drawn, np.arange(len(types)))


def test_the_seed_decides_which() -> None:
    types = np.repeat([0, 1], 50)
    first, again, other = (draw_evenly(types, 20, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
