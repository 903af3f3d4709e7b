"""Where a server listens: a host and a port, or `unix:` and the path of a socket."""

import socket
from pathlib import Path

from server.errors import HostUnknownError

UNIX = "unix:"


def is_unix(host: str) -> bool:
    """Tell whether a host is a Unix socket, which no other machine reaches."""
    return host.startswith(UNIX)


def unix_path(host: str) -> Path:
    """Return the path of a Unix socket, written as gRPC does: unix:path, or unix:///path."""
    path = host.removeprefix(UNIX)
    return Path(path.removeprefix("//") if path.startswith("///") else path)


def address_of(host: str, port: int) -> str:
    """Write an address as gRPC and people read it."""
    if is_unix(host):
        return f"{UNIX}{unix_path(host)}"
    return f"{f'[{host}]' if ':' in host else host}:{port}"


def resolve(
    host: str, port: int
) -> tuple[socket.AddressFamily, socket.SocketKind, tuple[str, int] | tuple[str, int, int, int]]:
    """Find the first address of a host to listen on: family, kind and address.

    Raises:
        HostUnknownError: the name does not resolve.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise HostUnknownError(host, error.strerror or str(error)) from error
    except ValueError as error:  # no host name at all: a label of over 63 letters, for example
        raise HostUnknownError(host, "it is no host name") from error
    return family, kind, address  # type: ignore[return-value]  # SOCK_STREAM over IP, or resolve fails
