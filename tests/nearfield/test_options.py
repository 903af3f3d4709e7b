from collections.abc import Callable

import pytest

from nearfield import NO_RETRY, ArgumentError, Connection, Retry, Timeouts
from nearfield.connection import LEAST_KEEPALIVE_S


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("call_s", lambda value: Timeouts(call_s=value)),
        ("chunk_s", lambda value: Timeouts(chunk_s=value)),
        ("info_s", lambda value: Timeouts(info_s=value)),
        ("longest_told_wait_s", lambda value: Retry(longest_told_wait_s=value)),
        ("patience_s", lambda value: Retry(patience_s=value)),
        ("connect_timeout_s", lambda value: Connection(connect_timeout_s=value)),
        ("keepalive_timeout_s", lambda value: Connection(keepalive_timeout_s=value)),
    ],
)
def test_time_that_is_none_is_refused_by_name(
    name: str, make: Callable[[float], object], value: float
) -> None:
    with pytest.raises(ArgumentError, match=f"^{name}: expected a finite number above 0"):
        make(value)


@pytest.mark.parametrize("value", [0.001, 0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("first_backoff_s", lambda value: Retry(first_backoff_s=value)),
        ("backoff_factor", lambda value: Retry(backoff_factor=value)),
        ("longest_backoff_s", lambda value: Retry(longest_backoff_s=value)),
    ],
)
def test_pause_that_grpc_stumbles_over_is_refused_by_name(
    name: str, make: Callable[[float], object], value: float
) -> None:
    with pytest.raises(ArgumentError, match=f"^{name}: expected a finite number from"):
        make(value)


@pytest.mark.parametrize("attempts", [0, 6])
def test_attempts_that_grpc_does_not_make_are_refused(attempts: int) -> None:
    with pytest.raises(ArgumentError, match="attempts: expected 1 to 5"):
        Retry(attempts=attempts)


def test_pings_more_often_than_servers_bear_are_refused() -> None:
    with pytest.raises(ArgumentError, match="keepalive_s: expected at least 60"):
        Connection(keepalive_s=59.9)


def test_usual_keepalive_is_one_that_servers_bear() -> None:
    assert Connection().keepalive_s >= LEAST_KEEPALIVE_S == 60.0


def test_message_size_of_nothing_is_refused() -> None:
    with pytest.raises(ArgumentError, match="max_message_bytes"):
        Connection(max_message_bytes=0)


def test_waiting_less_often_than_never_is_refused() -> None:
    with pytest.raises(ArgumentError, match="told_waits"):
        Retry(told_waits=-1)


@pytest.mark.parametrize("tokens", [0, 1001])
def test_budget_that_grpc_does_not_take_is_refused(tokens: int) -> None:
    with pytest.raises(ArgumentError, match=r"^tokens: expected 1 to 1000"):
        Retry(tokens=tokens)


@pytest.mark.parametrize("share", [0.0, 0.0009, 1.1, float("nan")])
def test_share_of_a_success_that_grpc_does_not_take_is_refused(share: float) -> None:
    with pytest.raises(ArgumentError, match=r"^tokens_per_success: expected 0.001 to 1"):
        Retry(tokens_per_success=share)


def test_no_connection_at_all_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^connections: expected 1 or more, got 0"):
        Connection(connections=0)


def test_options_are_values() -> None:
    assert Retry() == Retry()
    assert len({Timeouts(), Timeouts(), Timeouts(call_s=1.0)}) == 2
    assert (NO_RETRY.attempts, NO_RETRY.told_waits) == (1, 0)
