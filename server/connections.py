"""What connections may take of a process: time to say what they want, and file descriptors."""

import resource

from server.settings import Settings

MOST_DESCRIPTORS = 1 << 20
"""Programs that close every descriptor up to the limit exist, so there is one."""
RESERVED = 128
"""Descriptors that connections leave to files, featurizers and child processes."""


def raise_descriptor_limit() -> None:
    """Raise the soft limit of open files to the hard one; child processes inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Tell how many connections a process takes at once; it closes those beyond at once.

    Without a bound it would accept them until it has no descriptor left, and could then neither
    open a generation nor start a worker.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        soft = MOST_DESCRIPTORS
    return max(1, soft // 2, soft - RESERVED)


def connection_options(settings: Settings) -> list[tuple[str, int]]:
    """Options of a gRPC server that keep idle connections from locking callers out."""
    options = [
        # Until the client has said all that HTTP/2 begins with, after the handshake of TLS.
        ("grpc.server_handshake_timeout_ms", _ms(settings.handshake_timeout_s)),
        ("grpc.max_allowed_incoming_connections", most_connections()),
    ]
    if settings.connection_idle_s:
        options.append(("grpc.max_connection_idle_ms", _ms(settings.connection_idle_s)))
    return options


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
