import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.security.callers import UNLIMITED, Caller, CallerLimits, Role
from server.security.errors import CallerBusyError, RateLimitedError
from server.security.rates import Rates
from tests.server.security.support import PATIENT, Clock


def caller(name: str = "shop", **limits: float) -> Caller:
    given = CallerLimits.model_validate(limits) if limits else UNLIMITED
    return Caller(name, frozenset({Role.INFERENCE}), given)


def passes(rates: Rates, who: Caller, cost: float = 1.0) -> bool:
    try:
        with rates.take(who, cost):
            return True
    except RateLimitedError:
        return False


def test_burst_passes_and_then_the_rate() -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=2, burst_calls=5)
    assert [passes(rates, shop) for _ in range(6)] == [True] * 5 + [False]
    clock.now += 0.5
    assert [passes(rates, shop) for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [passes(rates, shop) for _ in range(6)] == [True] * 5 + [False]


def test_burst_that_is_not_set_is_what_a_second_brings() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    assert sum(passes(rates, caller(calls_per_s=3)) for _ in range(9)) == 3
    assert sum(passes(rates, caller("slow", calls_per_s=0.1)) for _ in range(9)) == 1


@PATIENT
@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 80)), max_size=60),
)
def test_never_passes_more_than_burst_and_rate_and_one_call(
    rate: float, burst: int, steps: list[tuple[float, float]]
) -> None:
    """Over every stretch of time: charged without the last call <= burst + rate · time."""
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=rate, burst_calls=burst)
    passed: list[tuple[float, float]] = []
    for wait, cost in steps:
        clock.now += wait
        if passes(rates, shop, cost):
            passed.append((clock.now, cost))
    for first in range(len(passed)):
        charged = 0.0
        for now, cost in passed[first:]:
            assert charged + min(cost, burst) <= burst + rate * (now - passed[first][0]) + 1e-6
            charged += cost


@PATIENT
@given(rate=st.floats(0.1, 1000), burst=st.integers(1, 50), cost=st.floats(0, 80))
def test_call_passes_after_the_wait_it_was_told_and_not_before(
    rate: float, burst: int, cost: float
) -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=rate, burst_calls=burst)
    assert passes(rates, shop, burst)
    assert passes(rates, shop, 0)
    cost = max(cost, 0.001)
    with pytest.raises(RateLimitedError) as caught:
        rates.take(shop, cost)
    clock.now = caught.value.retry_s * 0.99
    assert not passes(rates, shop, cost)
    clock.now = caught.value.retry_s * 1.01
    assert passes(rates, shop, cost)


def test_batch_beyond_the_burst_passes_and_is_paid_for_later() -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=10, burst_calls=10)
    assert passes(rates, shop, 100)
    with pytest.raises(RateLimitedError) as caught:
        rates.take(shop)
    assert caught.value.retry_s == pytest.approx(9.1)


def test_one_caller_does_not_use_up_anothers() -> None:
    rates = Rates(CallerLimits(calls_per_s=1, max_concurrent_calls=1), clock=Clock())
    assert passes(rates, caller("one"))
    assert not passes(rates, caller("one"))
    assert passes(rates, caller("two"))


def test_two_keys_of_one_caller_share_its_bucket() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    old, new = caller(calls_per_s=4), caller(calls_per_s=5)
    assert [passes(rates, who) for who in (old, new) * 4] == [True] * 4 + [False] * 4


def test_own_limits_hold_in_place_of_the_servers() -> None:
    rates = Rates(CallerLimits(calls_per_s=1), clock=Clock())
    assert sum(passes(rates, caller("large", calls_per_s=7)) for _ in range(20)) == 7
    assert sum(passes(rates, caller("small")) for _ in range(20)) == 1


def test_changed_limits_hold_at_once_and_give_nothing_back() -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    assert all(passes(rates, caller(calls_per_s=10)) for _ in range(10))
    assert not passes(rates, caller(calls_per_s=20))
    clock.now += 1
    assert sum(passes(rates, caller(calls_per_s=3)) for _ in range(20)) == 3


def test_calls_under_way_are_bounded_and_end_with_their_block() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    shop = caller(max_concurrent_calls=2)
    with rates.take(shop), rates.take(shop):
        with pytest.raises(CallerBusyError, match="2 places"):
            rates.take(shop)
        assert passes(rates, caller("other", max_concurrent_calls=1))
    with pytest.raises(ZeroDivisionError), rates.take(shop):
        raise ZeroDivisionError
    with rates.take(shop), rates.take(shop):
        pass


def test_call_refused_for_its_rate_takes_no_place() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    shop = caller(calls_per_s=1, max_concurrent_calls=1)
    assert passes(rates, shop)
    assert not passes(rates, shop)
    with pytest.raises(RateLimitedError) as caught:
        rates.take(shop)
    assert type(caught.value) is RateLimitedError


def test_several_processes_share_the_limits() -> None:
    shop = caller(calls_per_s=10, burst_calls=8, max_concurrent_calls=6)
    clock = Clock()
    rates = Rates(UNLIMITED, processes=2, clock=clock)
    assert sum(passes(rates, shop) for _ in range(20)) == 4
    clock.now += 0.6
    assert sum(passes(rates, shop) for _ in range(20)) == 3
    clock.now += 10
    with rates.take(shop), rates.take(shop), rates.take(shop), pytest.raises(CallerBusyError):
        rates.take(shop)


def test_share_of_a_process_is_never_less_than_a_call() -> None:
    shop = caller(calls_per_s=1, burst_calls=1, max_concurrent_calls=1)
    assert passes(Rates(UNLIMITED, processes=64, clock=Clock()), shop)


def test_caller_without_limits_is_neither_held_nor_remembered() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    assert all(passes(rates, caller(f"caller-{number}"), 1e9) for number in range(100))
    assert len(rates) == 0


def test_no_more_callers_are_remembered_than_said_and_the_quietest_goes() -> None:
    rates = Rates(CallerLimits(calls_per_s=1), remembered=3, clock=Clock())
    assert all(passes(rates, caller(f"caller-{number}")) for number in range(100))
    assert len(rates) == 3
    assert not passes(rates, caller("caller-97"))  # heard last now
    assert passes(rates, caller("new"))
    assert not passes(rates, caller("caller-97"))
    assert passes(rates, caller("caller-98"))  # was forgotten for the new one


def test_calls_under_way_are_not_forgotten() -> None:
    rates = Rates(CallerLimits(max_concurrent_calls=1), remembered=2, clock=Clock())
    busy = caller("busy")
    with rates.take(busy):
        assert all(passes(rates, caller(f"caller-{number}")) for number in range(10))
        with pytest.raises(CallerBusyError):
            rates.take(busy)
    assert passes(rates, busy)
