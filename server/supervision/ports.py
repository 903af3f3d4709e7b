"""An address that processes will listen on, taken before any of them starts."""

import contextlib
import socket
from pathlib import Path

from server.addresses import address_of, is_unix, resolve, unix_path
from server.errors import PortTakenError, SocketPathError

LONGEST_PATH = 107
"""Bytes of a Unix socket's path, which is what Linux takes."""
PATIENCE_S = 1.0
"""For whoever listens on a socket already: a process that is stopped does not answer."""


class Kept:
    """An address that stays ours until it is closed."""

    def __init__(self, host: str, bound: socket.socket | None = None) -> None:
        self._host = host
        self._bound = bound  # bound and without listening; None for a Unix socket

    def close(self) -> None:
        """Let go of it."""
        clear_away(self._host)
        if self._bound is not None:
            self._bound.close()


def take_port(host: str, port: int) -> tuple[Kept, int]:
    """Make an address ours until what is returned is closed; gives the port, 0 for a Unix socket.

    Port 0 takes a free one. Workers bind a port too (SO_REUSEPORT), and the system gives
    connections to those that listen. Another server that listens there already is noticed, also
    one that would share.

    Raises:
        HostUnknownError: the host name does not resolve.
        SocketPathError: no Unix socket can be made at that path.
        PortTakenError: something listens there, or the address is not ours.
    """
    if is_unix(host):
        make_room(host)
        return Kept(host), 0
    family, kind, address = resolve(host, port)
    try:
        if port:
            with socket.socket(family, kind) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(address)
                alone.listen()
        taken = socket.socket(family, kind)
    except OSError as error:
        raise PortTakenError(address_of(host, port)) from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise PortTakenError(address_of(host, port)) from error
    return Kept(host, taken), int(taken.getsockname()[1])


def make_room(host: str) -> None:
    """Look a host name up, or remove a Unix socket that a server left behind when it was killed.

    gRPC itself would remove whatever socket is there, also one that a server listens on.

    Raises:
        HostUnknownError: the host name does not resolve.
        SocketPathError: the path is too long, its folder is not there, or it is no socket's.
        PortTakenError: a server listens at the path.
    """
    if not is_unix(host):
        resolve(host, 0)
        return
    path, address = unix_path(host), address_of(host, 0)
    if len(bytes(path)) > LONGEST_PATH:
        raise SocketPathError(address, f"expected a path of at most {LONGEST_PATH} bytes")
    try:
        if path.exists():
            _remove_stale(path, address)
        elif not path.parent.is_dir():
            raise SocketPathError(address, f"the folder {path.parent} does not exist")
    except OSError as error:
        raise SocketPathError(address, error.strerror or str(error)) from error


def _remove_stale(path: Path, address: str) -> None:
    if not path.is_socket():
        raise SocketPathError(address, "there is something that is no socket")
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(PATIENCE_S)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
        else:
            raise PortTakenError(address)


def clear_away(host: str) -> None:
    """Remove a Unix socket, so that nobody takes it for a server."""
    if is_unix(host):
        with contextlib.suppress(OSError):  # its folder may be gone
            unix_path(host).unlink(missing_ok=True)
