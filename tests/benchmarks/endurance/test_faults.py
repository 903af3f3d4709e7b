import pytest

from benchmarks.endurance.faults import ALLOWED, Fault, Faults, Happened, settle_s
from nearfield import Reason


def after(fault: Fault) -> Faults:
    return Faults([Happened(fault, 100.0, 110.0)])


def test_every_fault_has_its_row() -> None:
    assert set(ALLOWED) == set(Fault)


def test_swap_excuses_nothing() -> None:
    faults = after(Fault.SWAP)
    assert not any(faults.explain(each, 105, 106, new_item=True) for each in Reason)


def test_featurizer_that_is_away_excuses_new_items_alone() -> None:
    faults = after(Fault.AWAY)
    assert faults.explain(Reason.FEATURIZER_UNAVAILABLE, 105, 106, new_item=True)
    assert not faults.explain(Reason.FEATURIZER_UNAVAILABLE, 105, 106, new_item=False)
    assert not faults.explain(Reason.FEATURIZER_FAILED, 105, 106, new_item=True)


@pytest.mark.parametrize("fault", Fault)
def test_no_fault_excuses_a_fault_of_ours_or_a_lost_call(fault: Fault) -> None:
    for outcome in (Reason.FAULT, "UNAVAILABLE: Socket closed", "INTERNAL: "):
        assert not after(fault).explain(outcome, 105, 106, new_item=True)


@pytest.mark.parametrize(
    ("begin_s", "end_s", "excused"),
    [
        (90.0, 99.0, False),
        (90.0, 101.0, True),
        (110.0 + settle_s(Fault.KILL) - 1, 170.0, True),
        (110.0 + settle_s(Fault.KILL) + 1, 170.0, False),
    ],
)
def test_fault_excuses_calls_of_its_time(begin_s: float, end_s: float, excused: bool) -> None:
    faults = after(Fault.KILL)
    assert faults.explain(Reason.OVERLOADED, begin_s, end_s, new_item=False) is excused
