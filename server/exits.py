"""With what status the server ends, by what kept it from serving."""

from collections.abc import Mapping

from export.generation import GenerationError
from retrieval.errors import RetrievalError
from server.errors import CannotListenError, StartError
from server.exit_codes import (
    CANNOT_LISTEN,
    CANNOT_START,
    FAULT,
    WRONG_GENERATION,
    WRONG_SETTINGS,
)
from server.security.errors import ExposedError

STATUSES: Mapping[type[Exception], int] = {
    ExposedError: WRONG_SETTINGS,
    GenerationError: WRONG_GENERATION,
    RetrievalError: WRONG_GENERATION,
    CannotListenError: CANNOT_LISTEN,
    StartError: CANNOT_START,
}
"""The first class that an error is of decides."""


def status_of(error: BaseException) -> int:
    """Give the exit status for an error."""
    for kind, status in STATUSES.items():
        if isinstance(error, kind):
            return status
    return FAULT
