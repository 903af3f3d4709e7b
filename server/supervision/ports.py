"""A port that several processes will listen on, taken before any of them starts."""

import socket

from server.errors import PortTakenError


def take_port(host: str, port: int) -> tuple[socket.socket, int]:
    """Bind a port, 0 for a free one, without listening; the open socket keeps it ours.

    Workers bind it too (SO_REUSEPORT), and the system gives connections to those that listen.
    Another server that listens there already is noticed, also one that would share.

    Raises:
        PortTakenError: something listens there, or the address is not ours.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        if port:
            with socket.socket(family, kind) as alone:
                alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                alone.bind(address)
                alone.listen()
        taken = socket.socket(family, kind)
    except OSError as error:
        raise PortTakenError(f"{host}:{port}") from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(address)
    except OSError as error:
        taken.close()
        raise PortTakenError(f"{host}:{port}") from error
    return taken, int(taken.getsockname()[1])
