import json

from nearfield import NO_RETRY, Connection, Retry, __version__
from nearfield.channel import arguments


def test_retries_are_in_the_service_config_for_unavailable_alone() -> None:
    retry = Retry(attempts=3, first_backoff_s=0.25, backoff_factor=1.5, longest_backoff_s=4.0)

    found = dict(arguments(Connection(), retry))

    assert found["grpc.enable_retries"] == 1
    assert json.loads(str(found["grpc.service_config"])) == {
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
        ]
    }


def test_without_retries_there_is_no_policy() -> None:
    found = dict(arguments(Connection(), NO_RETRY))

    assert found["grpc.enable_retries"] == 0
    assert "retryPolicy" not in str(found["grpc.service_config"])


def test_connection_is_written_in_the_units_of_grpc() -> None:
    connection = Connection(keepalive_s=90.0, keepalive_timeout_s=5.5, max_message_bytes=123)

    found = dict(arguments(connection, Retry()))

    assert found["grpc.keepalive_time_ms"] == 90_000
    assert found["grpc.keepalive_timeout_ms"] == 5_500
    assert found["grpc.max_send_message_length"] == 123
    assert found["grpc.max_receive_message_length"] == 123
    assert found["grpc.primary_user_agent"] == f"nearfield-python/{__version__}"
