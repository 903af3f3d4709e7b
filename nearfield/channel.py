"""From options to the arguments of a gRPC channel, the same for both clients."""

import json
from typing import TypeAlias

from nearfield.options import Connection, Retry
from nearfield.version import __version__

Arguments: TypeAlias = list[tuple[str, str | int]]

FIRST_RECONNECT_MS = 200
"""A server that restarts is back sooner than gRPC's own second."""
LONGEST_RECONNECT_MS = 10_000


def arguments(connection: Connection, retry: Retry) -> Arguments:
    """Write the channel arguments.

    Source: gRFC A6 (retries by service config), gRPC's keepalive.md.
    """
    return [
        ("grpc.primary_user_agent", f"nearfield-python/{__version__}"),
        ("grpc.keepalive_time_ms", int(connection.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(connection.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MS),
        ("grpc.min_reconnect_backoff_ms", FIRST_RECONNECT_MS),
        ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
        ("grpc.max_send_message_length", connection.max_message_bytes),
        ("grpc.max_receive_message_length", connection.max_message_bytes),
        ("grpc.enable_retries", int(retry.attempts > 1)),
        ("grpc.service_config", json.dumps(service_config(retry))),
    ]


def service_config(retry: Retry) -> dict[str, object]:
    """Write the service config: for every call, UNAVAILABLE is tried again, nothing else."""
    if retry.attempts == 1:
        return {"methodConfig": [{"name": [{}]}]}
    policy = {
        "maxAttempts": retry.attempts,
        "initialBackoff": f"{retry.first_backoff_s:.3f}s",
        "maxBackoff": f"{retry.longest_backoff_s:.3f}s",
        "backoffMultiplier": retry.backoff_factor,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {"methodConfig": [{"name": [{}], "retryPolicy": policy}]}
