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


@pytest.mark.parametrize(("retry", "again"), [(Retry(), 1), (NO_RETRY, 0)])
def test_grpc_sends_again_by_itself_only_what_no_server_has_begun_with(
    retry: Retry, again: int
) -> None:
    options = Options(retry=retry)

    assert dict(arguments(ONE, options))["grpc.enable_retries"] == again
    assert written(ONE, options) == {"loadBalancingConfig": [{"round_robin": {}}]}


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
