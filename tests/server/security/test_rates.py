import errno
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.security.caller_table import Sharing
from server.security.callers import UNLIMITED, Caller, CallerLimits, Role
from server.security.errors import CallerBusyError, RateLimitedError
from server.security.rates import Rates
from tests.server.security.support import PATIENT, Clock


def caller(name: str = "shop", **limits: float) -> Caller:
    given = CallerLimits.model_validate(limits) if limits else UNLIMITED
    return Caller(name, frozenset({Role.INFERENCE}), given)


def passes(rates: Rates, who: Caller, cost: float = 1.0) -> bool:
    try:
        with rates.admit(who) as account:
            account.charge(cost)
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
    steps=st.lists(st.tuples(st.floats(0, 3), st.floats(1, 80)), max_size=60),
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
@given(rate=st.floats(0.1, 1000), burst=st.integers(1, 50), cost=st.integers(1, 80))
def test_call_passes_after_the_wait_it_was_told_and_not_before(
    rate: float, burst: int, cost: float
) -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=rate, burst_calls=burst)
    assert passes(rates, shop, burst)
    with pytest.raises(RateLimitedError):
        rates.admit(shop)
    clock.now = 1 / rate  # enough to be let in
    if min(cost, burst) > 1:
        with rates.admit(shop) as account, pytest.raises(RateLimitedError) as caught:
            account.charge(cost)
        clock.now += caught.value.retry_s * 0.99
        assert not passes(rates, shop, cost)
        clock.now += caught.value.retry_s * 0.02
    assert passes(rates, shop, cost)


def test_batch_beyond_the_burst_passes_and_is_paid_for_later() -> None:
    clock = Clock()
    rates = Rates(UNLIMITED, clock=clock)
    shop = caller(calls_per_s=10, burst_calls=10)
    assert passes(rates, shop, 100)
    with pytest.raises(RateLimitedError) as caught:
        rates.admit(shop)
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
    with rates.admit(shop), rates.admit(shop):
        with pytest.raises(CallerBusyError, match="2 places"):
            rates.admit(shop)
        assert passes(rates, caller("other", max_concurrent_calls=1))
    with pytest.raises(ZeroDivisionError), rates.admit(shop):
        raise ZeroDivisionError
    with rates.admit(shop), rates.admit(shop):
        pass


def test_call_refused_for_its_rate_takes_no_place() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    shop = caller(calls_per_s=1, max_concurrent_calls=1)
    assert passes(rates, shop)
    assert not passes(rates, shop)
    with pytest.raises(RateLimitedError) as caught:
        rates.admit(shop)
    assert type(caught.value) is RateLimitedError


def shared(file: Path, clock: Clock, workers: int = 2) -> list[Rates]:
    return [
        Rates(UNLIMITED, sharing=Sharing(file, worker, workers), clock=clock)
        for worker in range(workers)
    ]


def test_workers_of_a_node_hold_a_caller_to_its_limits_together(tmp_path: Path) -> None:
    clock = Clock()
    one, other = shared(tmp_path / "callers", clock)
    shop = caller(calls_per_s=10, burst_calls=8, max_concurrent_calls=3)
    assert sum(passes(each, shop) for each in [one] * 5 + [other] * 5) == 8
    clock.now += 0.3
    assert sum(passes(each, shop) for each in [other] * 2 + [one] * 5) == 3
    clock.now += 10
    with one.admit(shop), other.admit(shop), other.admit(shop):
        for rates in (one, other):
            with pytest.raises(CallerBusyError, match="3 places"):
                rates.admit(shop)


def test_caller_with_one_connection_gets_all_of_its_limit(tmp_path: Path) -> None:
    one, _ = shared(tmp_path / "callers", Clock())
    shop = caller(calls_per_s=8, max_concurrent_calls=4)
    assert sum(passes(one, shop) for _ in range(20)) == 8


def test_calls_of_a_worker_that_died_are_under_way_no_more(tmp_path: Path) -> None:
    clock = Clock()
    one, other = shared(tmp_path / "callers", clock)
    shop = caller(max_concurrent_calls=2)
    with other.admit(shop):
        one.admit(shop)  # and never ends
        reborn = Rates(UNLIMITED, sharing=Sharing(tmp_path / "callers", 0, 2), clock=clock)
        with reborn.admit(shop), pytest.raises(CallerBusyError):
            other.admit(shop)


def test_call_that_was_turned_away_is_paid_back() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    shop = caller(calls_per_s=4)
    for _ in range(50):
        with rates.admit(shop) as account:
            account.charge(3)
            account.refund(3)
    assert sum(passes(rates, shop) for _ in range(20)) == 4


def test_caller_without_limits_is_never_refused() -> None:
    rates = Rates(UNLIMITED, clock=Clock())
    assert all(passes(rates, caller(f"caller-{number}"), 1e9) for number in range(100))
    assert all(passes(rates, caller("one"), 1e9) for _ in range(100))


def test_no_more_callers_are_remembered_than_said_and_the_quietest_goes() -> None:
    clock = Clock()
    rates = Rates(CallerLimits(calls_per_s=0.001), remembered=3, clock=clock)
    for number in range(100):
        clock.now += 1
        assert passes(rates, caller(f"caller-{number}"))
    assert not passes(rates, caller("caller-97"))
    assert passes(rates, caller("new"))
    assert not passes(rates, caller("caller-98"))
    assert passes(rates, caller("caller-97"))  # was forgotten for the new one


def test_calls_under_way_are_not_forgotten() -> None:
    rates = Rates(CallerLimits(max_concurrent_calls=1), remembered=2, clock=Clock())
    busy = caller("busy")
    with rates.admit(busy):
        assert all(passes(rates, caller(f"caller-{number}")) for number in range(10))
        with pytest.raises(CallerBusyError):
            rates.admit(busy)
    assert passes(rates, busy)


def test_caller_is_turned_away_where_everybody_who_is_remembered_is_busy() -> None:
    rates = Rates(CallerLimits(max_concurrent_calls=1), remembered=2, clock=Clock())
    with rates.admit(caller("one")), rates.admit(caller("two")):
        assert not passes(rates, caller("three"))
    assert passes(rates, caller("three"))


def test_table_that_the_disk_has_no_room_for_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    sharing = Sharing(tmp_path / "callers", 0, 2)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/callers'"):
        Rates(UNLIMITED, sharing=sharing)
