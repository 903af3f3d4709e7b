"""The errors of the contract by their reason, as a server would send them."""

from collections.abc import Mapping
from types import MappingProxyType

import grpc

from nearfield.enums import Reason
from nearfield.errors import DOMAIN, Status

CODES: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {
        Reason.REQUEST_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.USER_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        Reason.ITEM_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        Reason.SPACE_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.PAGE_EXPIRED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.FEATURIZER_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        Reason.FEATURIZER_MISMATCH: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.FEATURIZER_MISSING: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.FEATURIZER_FAILED: grpc.StatusCode.INTERNAL,
        Reason.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.DEADLINE_PASSED: grpc.StatusCode.DEADLINE_EXCEEDED,
        Reason.SHUTTING_DOWN: grpc.StatusCode.UNAVAILABLE,
        Reason.FAULT: grpc.StatusCode.INTERNAL,
        Reason.RESPONSE_TOO_LARGE: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.CREDENTIALS_MISSING: grpc.StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_INVALID: grpc.StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_EXPIRED: grpc.StatusCode.UNAUTHENTICATED,
        Reason.ROLE_MISSING: grpc.StatusCode.PERMISSION_DENIED,
        Reason.RATE_LIMITED: grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.GENERATION_UNKNOWN: grpc.StatusCode.NOT_FOUND,
        Reason.GENERATION_REFUSED: grpc.StatusCode.FAILED_PRECONDITION,
        Reason.GENERATIONS_BUSY: grpc.StatusCode.ABORTED,
        Reason.GENERATION_INVALID: grpc.StatusCode.INVALID_ARGUMENT,
        Reason.STORAGE_FULL: grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""The code that comes with each reason; a test compares it with the server's."""

RETRY_DELAYS_S: Mapping[Reason, float] = MappingProxyType(
    {
        Reason.FEATURIZER_UNAVAILABLE: 5.0,
        Reason.OVERLOADED: 0.5,
        Reason.SHUTTING_DOWN: 1.0,
        Reason.RATE_LIMITED: 1.0,
        Reason.GENERATIONS_BUSY: 5.0,
        Reason.STORAGE_FULL: 60.0,
    }
)
"""How long a server asks to wait, in seconds; nothing where trying again would not help."""


def status_of(reason: Reason, *, retry_delay_s: float | None = None) -> Status:
    """Make the status that a server sends for a reason, for `FakeServer.fail` and `fail_id`.

    `retry_delay_s` takes the place of the server's usual wait, which a test may find long.
    """
    usual_s = RETRY_DELAYS_S.get(reason)
    return Status(
        CODES[reason],
        f"the fake was told to fail with {reason}",
        reason,
        DOMAIN,
        retry_delay_s=usual_s if retry_delay_s is None else retry_delay_s,
    )
