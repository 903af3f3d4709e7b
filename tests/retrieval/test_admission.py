import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.admission import Admission, intersection, union
from retrieval.errors import QueryError

ROWS = 40

some = st.sets(st.integers(0, ROWS - 1)).map(lambda rows: np.array(sorted(rows), dtype=np.int64))


@given(st.lists(some, min_size=1, max_size=4))
def test_lists_are_joined_as_sets_are(lists: list[NDArray[np.int64]]) -> None:
    sets = [set(each.tolist()) for each in lists]
    assert union(lists, ROWS).tolist() == sorted(set().union(*sets))
    assert intersection(lists).tolist() == sorted(sets[0].intersection(*sets))


@given(some)
def test_mask_marks_the_rows(rows: NDArray[np.int64]) -> None:
    mask = Admission(rows, ROWS).mask
    assert (mask.shape, np.flatnonzero(mask).tolist()) == ((ROWS,), rows.tolist())


@given(some, st.sets(st.integers(0, 3)).map(sorted))
def test_rows_are_cut_to_slices(rows: NDArray[np.int64], slices: list[int]) -> None:
    bounds = np.array([0, 10, 10, 25, ROWS])
    wanted = [row for row in rows.tolist() if any(bounds[t] <= row < bounds[t + 1] for t in slices)]
    assert Admission(rows, ROWS).within(bounds, slices).tolist() == wanted


@pytest.mark.parametrize(
    "rows", [np.array([-1, 3]), np.array([3, ROWS]), np.array([[1]]), np.array([1.0])]
)
def test_rows_of_another_catalogue_are_refused(rows: NDArray[np.int64]) -> None:
    with pytest.raises(QueryError, match="admitted: expected"):
        Admission(rows, ROWS)
