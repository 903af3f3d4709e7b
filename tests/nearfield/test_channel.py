import json
from typing import Any

import pytest

from nearfield import NO_RETRY, Connection, Retry, __version__
from nearfield.channel import arguments
from nearfield.options import Options

ONE = ("a:1",)
TWO = ("a:1", "b:1")


def written(addresses: tuple[str, ...], options: Options) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        str(dict(arguments(addresses, options))["grpc.service_config"])
    )
    return config


def test_retries_are_in_the_service_config_for_unavailable_alone() -> None:
    retry = Retry(
        attempts=3,
        first_backoff_s=0.25,
        backoff_factor=1.5,
        longest_backoff_s=4.0,
        tokens=50,
        tokens_per_success=0.2,
    )

    found = dict(arguments(ONE, Options(retry=retry)))

    assert found["grpc.enable_retries"] == 1
    assert json.loads(str(found["grpc.service_config"])) == {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{}],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.250s",
                    "maxBackoff": "4.000s",
                    "backoffMultiplier": 1.5,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 50, "tokenRatio": 0.2},
    }


def test_without_retries_there_is_no_policy() -> None:
    found = dict(arguments(ONE, Options(retry=NO_RETRY)))

    assert found["grpc.enable_retries"] == 0
    assert "retryPolicy" not in str(found["grpc.service_config"])


def test_connection_is_written_in_the_units_of_grpc() -> None:
    connection = Connection(
        keepalive_s=90.0, keepalive_timeout_s=5.5, connect_timeout_s=1.5, max_message_bytes=123
    )

    found = dict(arguments(ONE, Options(connection=connection)))

    assert found["grpc.keepalive_time_ms"] == 90_000
    assert found["grpc.keepalive_timeout_ms"] == 5_500
    assert found["grpc.min_reconnect_backoff_ms"] == 1_500
    assert found["grpc.max_send_message_length"] == 123
    assert found["grpc.max_receive_message_length"] == 123
    assert found["grpc.primary_user_agent"] == f"nearfield-python/{__version__}"


@pytest.mark.parametrize(
    ("addresses", "connections"), [(TWO, 1), (ONE, 2)], ids=["addresses", "connections"]
)
def test_with_several_channels_the_client_tries_again_and_not_grpc(
    addresses: tuple[str, ...], connections: int
) -> None:
    options = Options(connection=Connection(connections=connections))

    assert "methodConfig" not in written(addresses, options)
    assert dict(arguments(addresses, options))["grpc.enable_retries"] == 1


@pytest.mark.parametrize(
    ("addresses", "said", "checked"),
    [
        (ONE, None, False),
        (TWO, None, True),
        (ONE, True, True),
        (TWO, False, False),
    ],
)
def test_health_is_watched_where_there_is_somebody_else_to_ask(
    addresses: tuple[str, ...], said: bool | None, checked: bool
) -> None:
    config = written(addresses, Options(connection=Connection(health_checked=said)))

    assert ("healthCheckConfig" in config) is checked


def test_connections_to_one_address_are_not_shared() -> None:
    def pool(connections: int) -> str | int:
        options = Options(connection=Connection(connections=connections))
        return dict(arguments(ONE, options))["grpc.use_local_subchannel_pool"]

    assert (pool(1), pool(2)) == (0, 1)
