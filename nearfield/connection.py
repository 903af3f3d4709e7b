"""How a client connects, and what it says with every call."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from nearfield.addresses import stays_here
from nearfield.checks import above_zero, at_least_one
from nearfield.errors import ArgumentError
from nearfield.tls import Tls

LEAST_KEEPALIVE_S = 60.0
"""Servers may hang up on clients that ping more often."""

Metadata: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Connection:
    """How a client connects."""

    tls: Tls | None = None
    """TLS, from files; None connects without."""
    credentials: grpc.ChannelCredentials | None = None
    """Credentials made by hand, in place of `tls`."""
    token: str = field(default="", repr=False)
    """An API key or a token, sent with each call as "authorization: Bearer TOKEN". Without TLS it
    is sent to this machine's own addresses alone; elsewhere somebody could read it on the way.
    Where something else encrypts the way there, a mesh for example, give it in `metadata`."""
    metadata: Sequence[tuple[str, str]] = field(default=(), repr=False)
    """Sent with each call. Keys in lower case."""
    metadata_of_call: Callable[[str], Iterable[tuple[str, str]]] | None = None
    """Asked before each call for what is sent with that one, for example a traceparent or a token
    that changes. It is given where the call goes ("/package.Service/Method"), and runs in the
    thread or the task of the caller, whose context it sees; what it raises, the call raises. Tries
    that gRPC makes by itself send the same again."""
    connections: int = 1
    """Connections to each address. One connection ends in one process: where several listen on
    one port (SO_REUSEPORT), a client needs more of them to have more than one at work."""
    health_checked: bool | None = None
    """Watch what each server says of itself (grpc.health.v1) and send nothing to one that is
    loading or about to leave. None does where several addresses are given, as there is somebody
    else to ask. A name that stands for several servers is one address: say True for it. Behind
    a proxy that asks for a token even there, say False: gRPC watches without one."""
    wait_for_ready: bool = False
    """Let calls wait for a server that cannot be reached until their timeout, instead of ending
    when the tries are used up. The error is then what the last of them met."""
    connect_timeout_s: float = 5.0
    """Seconds that one attempt to connect may take, TLS included."""
    keepalive_s: float = 60.0
    """Seconds between pings while a call is under way, at least 60."""
    keepalive_timeout_s: float = 20.0
    """Seconds to wait for a ping's answer before the connection counts as dead."""
    max_message_bytes: int = 4 * 1024 * 1024
    """Longest message, in bytes, that is sent or taken. Batches are cut so that their messages stay
    below this and below the server's own limits."""

    def __post_init__(self) -> None:
        if self.tls is not None and self.credentials is not None:
            raise ArgumentError("tls: expected tls or credentials, got both")
        if not (self.token.isascii() and self.token.isprintable()) or " " in self.token:
            raise ArgumentError("token: expected printable ASCII without spaces")
        at_least_one("connections", self.connections)
        above_zero("connect_timeout_s", self.connect_timeout_s)
        if not self.keepalive_s >= LEAST_KEEPALIVE_S:
            raise ArgumentError(
                f"keepalive_s: expected at least {LEAST_KEEPALIVE_S:g}, got {self.keepalive_s}"
            )
        above_zero("keepalive_timeout_s", self.keepalive_timeout_s)
        at_least_one("max_message_bytes", self.max_message_bytes)

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """Give what the channel encrypts with; None for nothing."""
        return self.tls.credentials() if self.tls else self.credentials

    def check_token(self, addresses: Iterable[str]) -> None:
        """Refuse to send a token where somebody could read it on the way.

        Raises:
            ArgumentError: there is a token, no TLS, and an address of another machine.
        """
        if not self.token or self.tls is not None or self.credentials is not None:
            return
        for address in addresses:
            if not stays_here(address):
                raise ArgumentError(f"token: expected tls beside it, as {address} is not local")

    def metadata_for(self, path: str) -> Metadata:
        """Give what is sent with a call beside the request."""
        asked = self.metadata_of_call(path) if self.metadata_of_call else ()
        bearer = (("authorization", f"Bearer {self.token}"),) if self.token else ()
        return (*bearer, *self.metadata, *asked)
