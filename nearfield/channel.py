"""From options to gRPC channels, the same for both clients."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from nearfield.options import Options
from nearfield.proxies import proxy_of
from nearfield.version import __version__

Arguments: TypeAlias = list[tuple[str, str | int]]

FIRST_RECONNECT_MS = 200
"""A server that restarts is back sooner than gRPC's own second."""
LONGEST_RECONNECT_MS = 10_000


@dataclass(frozen=True)
class Route:
    """Where a channel leads."""

    target: str
    """The address."""
    arguments: tuple[tuple[str, str | int], ...]
    """The channel arguments."""
    proxy: str
    """Variable of the environment whose proxy stands on the way; empty where there is none."""

    @classmethod
    def to(cls, address: str, arguments: Iterable[tuple[str, str | int]] = ()) -> "Route":
        """Find the way to an address; to this machine it is never by way of a proxy."""
        proxy = proxy_of(address)
        return cls(address, (*arguments, ("grpc.enable_http_proxy", int(bool(proxy)))), proxy)


def routes(addresses: tuple[str, ...], options: Options) -> tuple[Route, ...]:
    """Give the route of each channel, the addresses in turn.

    An address has a channel of its own. gRPC's lists (ipv4:, ipv6:) would need one channel for all,
    but take no names, and look for the list itself in a server's certificate.
    """
    given = arguments(addresses, options)
    return tuple(Route.to(each, given) for each in addresses) * options.connection.connections


def arguments(addresses: tuple[str, ...], options: Options) -> Arguments:
    """Write the channel arguments.

    Source: gRPC's keepalive.md and connection-backoff.md.
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
        # Sends a call again by itself only where no server has begun with it. The rest is
        # nearfield.retries: it knows which calls may be done twice, and what the last try met.
        ("grpc.enable_retries", int(options.retry.attempts > 1)),
        ("grpc.service_config", json.dumps(service_config(addresses, options))),
    ]


def service_config(addresses: tuple[str, ...], options: Options) -> dict[str, object]:
    """Write the service config.

    A name may stand for several servers: all of them are called in turn.
    """
    checked = options.connection.health_checked
    config: dict[str, object] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if checked or (checked is None and len(addresses) > 1):
        config["healthCheckConfig"] = {"serviceName": ""}
    return config
