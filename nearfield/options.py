"""How a client calls: how long it waits, what it tries again, how it connects. Frozen values."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from nearfield.errors import ArgumentError

LEAST_KEEPALIVE_S = 60.0
"""Servers may hang up on clients that ping more often."""


def _above_zero(name: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ArgumentError(f"{name}: expected a finite number above 0, got {value}")


@dataclass(frozen=True)
class Timeouts:
    """How long to wait, in seconds, where a call does not say it; all tries included."""

    call_s: float = 10.0
    """A call for one person or item."""
    chunk_s: float = 30.0
    """Each message of a batch; a batch of many chunks may take that long for each. A timeout given
    with the call bounds the whole batch instead."""
    info_s: float = 5.0
    """Asking for the server's limits."""

    def __post_init__(self) -> None:
        _above_zero("call_s", self.call_s)
        _above_zero("chunk_s", self.chunk_s)
        _above_zero("info_s", self.info_s)


@dataclass(frozen=True)
class Retry:
    """What is tried again.

    UNAVAILABLE is tried again by gRPC itself, with growing pauses, unless the server asks it not
    to; nothing else is, because only there the call is known not to have been done. Beside that, a
    server that refuses a call and says how long to wait (RetryInfo) is taken at its word, where the
    wait is short enough.
    """

    attempts: int = 5
    """Tries of one call, the first included, 1 to 5 (gRPC takes no more). 1 never tries again."""
    first_backoff_s: float = 0.2
    """Pause before the second try, in seconds; gRPC varies each pause by a fifth."""
    backoff_factor: float = 2.0
    """How much longer each pause is than the one before."""
    longest_backoff_s: float = 2.0
    """Longest pause, in seconds."""
    told_waits: int = 2
    """How often one call waits as a server asks. 0 never does."""
    longest_told_wait_s: float = 2.0
    """Longest wait that a server may ask for, in seconds; where it asks for more, or for more than
    the call has left, the error is raised at once and tells it (`retry_delay_s`)."""

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise ArgumentError(f"attempts: expected 1 to 5, got {self.attempts}")
        if self.told_waits < 0:
            raise ArgumentError(f"told_waits: expected 0 or more, got {self.told_waits}")
        _above_zero("first_backoff_s", self.first_backoff_s)
        _above_zero("backoff_factor", self.backoff_factor)
        _above_zero("longest_backoff_s", self.longest_backoff_s)
        _above_zero("longest_told_wait_s", self.longest_told_wait_s)


NO_RETRY = Retry(attempts=1, told_waits=0)
"""Every call is tried once."""


@dataclass(frozen=True)
class Connection:
    """How a client connects."""

    credentials: grpc.ChannelCredentials | None = None
    """TLS, for example grpc.ssl_channel_credentials(); None connects without."""
    metadata: Sequence[tuple[str, str]] = ()
    """Sent with each call, for example an API key. Keys in lower case."""
    keepalive_s: float = 60.0
    """Seconds between pings while a call is under way, at least 60."""
    keepalive_timeout_s: float = 20.0
    """Seconds to wait for a ping's answer before the connection counts as dead."""
    max_message_bytes: int = 4 * 1024 * 1024
    """Longest message, in bytes, that is sent or taken. Batches are cut so that their messages stay
    below this and below the server's own limits."""

    def __post_init__(self) -> None:
        if not self.keepalive_s >= LEAST_KEEPALIVE_S:
            raise ArgumentError(
                f"keepalive_s: expected at least {LEAST_KEEPALIVE_S:g}, got {self.keepalive_s}"
            )
        _above_zero("keepalive_timeout_s", self.keepalive_timeout_s)
        if self.max_message_bytes < 1:
            raise ArgumentError(
                f"max_message_bytes: expected 1 or more, got {self.max_message_bytes}"
            )


@dataclass(frozen=True)
class Options:
    """All of the above."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)
    connection: Connection = field(default_factory=Connection)
