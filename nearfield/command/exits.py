"""With which status the command ends."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc

from nearfield.errors import ArgumentError, NearfieldError, StatusError

ANSWERED, FAILED, WRONG, UNKNOWN, TURNED_AWAY, LATER = range(6)
INTERRUPTED, NO_READER = 130, 141

EXITS: Mapping[int, str] = MappingProxyType(
    {
        ANSWERED: "answered",
        FAILED: "failed for another reason than those below",
        WRONG: "the arguments are wrong",
        UNKNOWN: "the server has no such user or item",
        TURNED_AWAY: "the server does not know the caller, or does not let them",
        LATER: "the server is away, full or too slow; later may be better",
        INTERRUPTED: "interrupted by Ctrl-C",
        NO_READER: "nobody reads the output any more",
    }
)
"""Every status, for the help."""

EXIT_OF_CODE: Mapping[grpc.StatusCode, int] = MappingProxyType(
    {
        grpc.StatusCode.INVALID_ARGUMENT: WRONG,
        grpc.StatusCode.OUT_OF_RANGE: WRONG,
        grpc.StatusCode.NOT_FOUND: UNKNOWN,
        grpc.StatusCode.UNAUTHENTICATED: TURNED_AWAY,
        grpc.StatusCode.PERMISSION_DENIED: TURNED_AWAY,
        grpc.StatusCode.UNAVAILABLE: LATER,
        grpc.StatusCode.RESOURCE_EXHAUSTED: LATER,
        grpc.StatusCode.DEADLINE_EXCEEDED: LATER,
    }
)
"""The codes that have a status of their own."""


def exit_of(error: NearfieldError) -> int:
    """Give the exit status of an error."""
    match error:
        case ArgumentError():
            return WRONG
        case StatusError():
            return EXIT_OF_CODE.get(error.code, FAILED)
    return FAILED
