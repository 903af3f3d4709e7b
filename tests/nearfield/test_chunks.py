from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from nearfield.chunks import FRAMING_BYTES, Bounds, Cost, cut

COSTS = st.lists(
    st.builds(Cost, st.integers(0, 300), st.integers(0, 300), st.integers(0, 30)), max_size=60
)
BOUNDS = st.builds(
    Bounds, st.integers(1, 10), st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 100)
)


def fits(costs: list[Cost], bounds: Bounds) -> bool:
    framing = FRAMING_BYTES * len(costs)
    return (
        len(costs) <= bounds.elements
        and sum(cost.request_bytes for cost in costs) + framing <= bounds.request_bytes
        and sum(cost.response_bytes for cost in costs) + framing <= bounds.response_bytes
        and sum(cost.hits for cost in costs) <= bounds.hits
    )


@given(COSTS, BOUNDS)
def test_parts_hold_every_element_once_and_in_order(costs: list[Cost], bounds: Bounds) -> None:
    assert [place for part in cut(costs, bounds) for place in part] == list(range(len(costs)))


@given(COSTS, BOUNDS)
def test_parts_stay_within_the_bounds_or_hold_one_element(
    costs: list[Cost], bounds: Bounds
) -> None:
    for part in cut(costs, bounds):
        assert len(part) == 1 or fits([costs[place] for place in part], bounds)


@given(COSTS, BOUNDS)
def test_no_part_could_have_taken_the_next_element(costs: list[Cost], bounds: Bounds) -> None:
    parts = list(cut(costs, bounds))
    for part, after in pairwise(parts):
        longer = [costs[place] for place in range(part.start, after.start + 1)]
        assert not fits(longer, bounds)
