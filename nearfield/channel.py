"""From options to gRPC channels, the same for both clients."""

import json
from typing import TypeAlias

from nearfield.options import Options, Retry
from nearfield.version import __version__

Arguments: TypeAlias = list[tuple[str, str | int]]

FIRST_RECONNECT_MS = 200
"""A server that restarts is back sooner than gRPC's own second."""
LONGEST_RECONNECT_MS = 10_000


def targets(addresses: tuple[str, ...], options: Options) -> tuple[str, ...]:
    """Give the target of each channel, the addresses in turn.

    An address has a channel of its own. gRPC's lists (ipv4:, ipv6:) would need one channel for all,
    but take no names, and look for the list itself in a server's certificate.
    """
    return addresses * options.connection.connections


def arguments(addresses: tuple[str, ...], options: Options) -> Arguments:
    """Write the channel arguments.

    Source: gRFC A6 (retries by service config), gRPC's keepalive.md and connection-backoff.md.
    """
    connection = options.connection
    return [
        ("grpc.primary_user_agent", f"nearfield-python/{__version__}"),
        ("grpc.keepalive_time_ms", int(connection.keepalive_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(connection.keepalive_timeout_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", FIRST_RECONNECT_MS),
        # Beside its name it is how long an attempt to connect may take.
        ("grpc.min_reconnect_backoff_ms", int(connection.connect_timeout_s * 1000)),
        ("grpc.max_reconnect_backoff_ms", LONGEST_RECONNECT_MS),
        ("grpc.max_send_message_length", connection.max_message_bytes),
        ("grpc.max_receive_message_length", connection.max_message_bytes),
        # Without this, channels to the same address share one connection.
        ("grpc.use_local_subchannel_pool", int(connection.connections > 1)),
        ("grpc.enable_retries", int(options.retry.attempts > 1)),
        ("grpc.service_config", json.dumps(service_config(addresses, options))),
    ]


def service_config(addresses: tuple[str, ...], options: Options) -> dict[str, object]:
    """Write the service config.

    A name may stand for several servers: all of them are called in turn. Over one channel gRPC
    tries UNAVAILABLE again, within a budget; where there are several, nearfield.asking does,
    because gRPC would stay with the one that failed.
    """
    checked = options.connection.health_checked
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if checked or (checked is None and len(addresses) > 1):
        config["healthCheckConfig"] = {"serviceName": ""}
    if options.retry.attempts > 1 and len(targets(addresses, options)) == 1:
        config |= _retries(options.retry)
    return config


def _retries(retry: Retry) -> dict[str, object]:
    policy = {
        "maxAttempts": retry.attempts,
        "initialBackoff": f"{retry.first_backoff_s:.3f}s",
        "maxBackoff": f"{retry.longest_backoff_s:.3f}s",
        "backoffMultiplier": retry.backoff_factor,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return {
        "methodConfig": [{"name": [{}], "retryPolicy": policy}],
        "retryThrottling": {"maxTokens": retry.tokens, "tokenRatio": retry.tokens_per_success},
    }
