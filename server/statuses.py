"""The one table from errors to gRPC statuses, and the rich status of each error."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status

from export.generation import errors as generation
from features import errors as features
from nearfield.v1 import errors_pb2 as reasons
from retrieval import errors as retrieval
from server import errors as server
from server.security import errors as security

log = logging.getLogger(__name__)

DOMAIN = "nearfield"
REASON_PREFIX = "ERROR_REASON_"
MOST_VIOLATIONS = 20
"""Violations that a status lists."""
MOST_MESSAGE_BYTES = 1024
"""Longest message of a status, as it travels: percent-encoded, so that what is not ASCII counts
threefold."""
MOST_FIELD_CHARS = 200
MOST_VIOLATION_BYTES = 2000
"""Longest list of violations. A status travels in the trailers: its message, and all of it in
base64. A client that gets more than 8 KiB of trailers drops them and sees "Stream removed" in place
of the error; with these bounds they never have more than seven."""
FAULT = str(server.FaultError())


@dataclass(frozen=True)
class Row:
    """What becomes of one class of errors."""

    code: grpc.StatusCode
    reason: reasons.ErrorReason.ValueType
    text: str | None = None
    """What the caller reads; None for the error's own message."""
    retry_s: float | None = None
    """What the caller is told to wait; None where trying again would not help."""
    pushed_back: bool = False
    """Whether gRPC's own retries, a few within seconds, are told to stay away: they would come too
    soon, and use up the time in which the caller could hear of it."""


_INVALID = Row(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_REQUEST_INVALID)
_OVERLOADED = Row(grpc.StatusCode.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_OVERLOADED, retry_s=0.5)
_REFUSED = Row(grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_GENERATION_REFUSED)
_FAULT = Row(grpc.StatusCode.INTERNAL, reasons.ERROR_REASON_FAULT, FAULT)
_NOBODY = Row(grpc.StatusCode.UNAUTHENTICATED, reasons.ERROR_REASON_CREDENTIALS_INVALID)
_RATE_LIMITED = Row(
    grpc.StatusCode.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_RATE_LIMITED, retry_s=1.0
)
_NO_VECTOR = Row(
    grpc.StatusCode.INTERNAL,
    reasons.ERROR_REASON_FEATURIZER_FAILED,
    "the text featurizer did not give a usable vector; known items are not affected",
)
_AWAY = Row(
    grpc.StatusCode.UNAVAILABLE,
    reasons.ERROR_REASON_FEATURIZER_UNAVAILABLE,
    "the text featurizer cannot be reached, or not in time; known items are not affected",
    retry_s=5.0,
    pushed_back=True,
)

TABLE: Mapping[type[Exception], Row] = {
    server.ServiceError: _FAULT,
    server.InvalidRequestError: _INVALID,
    server.UnknownUserError: Row(grpc.StatusCode.NOT_FOUND, reasons.ERROR_REASON_USER_UNKNOWN),
    server.UnknownItemError: Row(grpc.StatusCode.NOT_FOUND, reasons.ERROR_REASON_ITEM_UNKNOWN),
    server.SpaceMismatchError: Row(
        grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_SPACE_MISMATCH
    ),
    server.PageExpiredError: Row(
        grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_PAGE_EXPIRED
    ),
    server.FeaturizerMismatchError: Row(
        grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_FEATURIZER_MISMATCH
    ),
    server.FeaturizerMissingError: Row(
        grpc.StatusCode.FAILED_PRECONDITION, reasons.ERROR_REASON_FEATURIZER_MISSING
    ),
    server.OverloadedError: _OVERLOADED,
    server.BusyError: _OVERLOADED,
    server.ResponseTooLargeError: Row(
        grpc.StatusCode.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_RESPONSE_TOO_LARGE
    ),
    server.DeadlinePassedError: Row(
        grpc.StatusCode.DEADLINE_EXCEEDED, reasons.ERROR_REASON_DEADLINE_PASSED
    ),
    server.MessageLateError: Row(
        grpc.StatusCode.DEADLINE_EXCEEDED, reasons.ERROR_REASON_DEADLINE_PASSED
    ),
    server.ShuttingDownError: Row(
        grpc.StatusCode.UNAVAILABLE, reasons.ERROR_REASON_SHUTTING_DOWN, retry_s=1.0
    ),
    server.GenerationUnknownError: Row(
        grpc.StatusCode.NOT_FOUND, reasons.ERROR_REASON_GENERATION_UNKNOWN
    ),
    server.GenerationRefusedError: _REFUSED,
    server.NothingBeforeError: _REFUSED,
    server.GenerationsBusyError: Row(
        grpc.StatusCode.ABORTED, reasons.ERROR_REASON_GENERATIONS_BUSY, retry_s=5.0
    ),
    server.GenerationInvalidError: Row(
        grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_GENERATION_INVALID
    ),
    server.StorageFullError: Row(
        grpc.StatusCode.RESOURCE_EXHAUSTED, reasons.ERROR_REASON_STORAGE_FULL, retry_s=60.0
    ),
    server.FaultError: _FAULT,
    security.UnauthenticatedError: _NOBODY,
    security.CredentialsMissingError: Row(
        grpc.StatusCode.UNAUTHENTICATED, reasons.ERROR_REASON_CREDENTIALS_MISSING
    ),
    security.CredentialsInvalidError: _NOBODY,
    security.CredentialsExpiredError: Row(
        grpc.StatusCode.UNAUTHENTICATED, reasons.ERROR_REASON_CREDENTIALS_EXPIRED
    ),
    security.PermissionDeniedError: Row(
        grpc.StatusCode.PERMISSION_DENIED, reasons.ERROR_REASON_ROLE_MISSING
    ),
    security.RateLimitedError: _RATE_LIMITED,
    security.CallerBusyError: _RATE_LIMITED,
    features.FeatureError: _FAULT,
    features.UnknownIdError: _INVALID,
    features.TextError: _INVALID,
    features.EncoderError: _FAULT,
    features.CacheError: _FAULT,
    features.FeaturizerError: _NO_VECTOR,
    features.FeaturizerUnavailable: _AWAY,
    features.FeaturizerUnreachable: _AWAY,
    features.FeaturizerRefused: _NO_VECTOR,
    features.FeaturizerBadAnswer: _NO_VECTOR,
    features.EncoderFilesError: _FAULT,
    features.VllmProcessError: _FAULT,
    retrieval.RetrievalError: _FAULT,
    retrieval.CatalogueError: _FAULT,
    retrieval.QueryError: _FAULT,
    retrieval.IndexFileError: _FAULT,
    retrieval.IndexMissingError: _FAULT,
    retrieval.IndexDamagedError: _FAULT,
    retrieval.IndexTooNewError: _FAULT,
    retrieval.IndexMismatchError: _FAULT,
    generation.GenerationError: _FAULT,
    generation.GenerationFileError: _FAULT,
    generation.GenerationMissingError: _FAULT,
    generation.GenerationCorruptError: _FAULT,
    generation.GenerationTooNewError: _FAULT,
    generation.GenerationUnsupportedError: _FAULT,
    generation.GenerationForTestsError: _FAULT,
    generation.GenerationInvalidError: _FAULT,
    generation.GenerationBusyError: _FAULT,
}
"""Every class of every error tree that a call can meet has its row; a test holds it to that."""


def row_of(error: Exception) -> Row:
    """Find the row of an error's class; what is in no tree of ours is a fault."""
    return TABLE.get(type(error), _FAULT)


def reason_of(row: Row) -> str:
    """Write a row's reason as ErrorInfo has it."""
    return reasons.ErrorReason.Name(row.reason).removeprefix(REASON_PREFIX)


def to_status(error: Exception, request_id: str) -> Status:
    """Write the rich status of an error, and log it where it is a fault.

    ErrorInfo is always there; BadRequest, RetryInfo and RequestInfo where they apply. The text
    of an unexpected error goes to the log alone.
    """
    row = row_of(error)
    if row is _FAULT:
        log.error("request %s failed", request_id, exc_info=error)
    elif row.code is grpc.StatusCode.INTERNAL:
        # Not a fault of this code: where it went wrong is known, and it may come with every call.
        log.error("request %s failed: %s", request_id, error)
    message = _short(row.text or str(error))
    status = Status(code=row.code.value[0], message=message)
    for detail in _details(error, row, request_id):
        status.details.add().Pack(detail)
    return status


def _short(message: str) -> str:
    """Cut a message to what fits a trailer, where a byte that is not ASCII takes three."""
    if len(message) * 12 <= MOST_MESSAGE_BYTES:
        return message
    left = MOST_MESSAGE_BYTES - 3 * len("…".encode())
    for place, character in enumerate(message):
        plain = " " <= character <= "~" and character != "%"
        left -= 1 if plain else 3 * len(character.encode())
        if left < 0:
            return f"{message[:place]}…"
    return message


def _details(error: Exception, row: Row, request_id: str) -> list[Message]:
    metadata = _metadata(error)
    details: list[Message] = [RequestInfo(request_id=request_id)]
    if isinstance(error, server.InvalidRequestError):
        listed = _violations(error)
        if len(listed) < len(error.violations):
            metadata["violations"] = str(len(error.violations))
        details.append(BadRequest(field_violations=listed))
    # Who has used up a rate waits as long as that takes to fill, not what the row says.
    retry_s = error.retry_s if isinstance(error, security.RateLimitedError) else row.retry_s
    if retry_s is not None:
        delay = Duration(nanos=int(retry_s * 1e9) % 10**9, seconds=int(retry_s))
        details.append(RetryInfo(retry_delay=delay))
    return [ErrorInfo(reason=reason_of(row), domain=DOMAIN, metadata=metadata), *details]


def _violations(error: server.InvalidRequestError) -> list[BadRequest.FieldViolation]:
    """Write as many violations as fit."""
    written = []
    room = MOST_VIOLATION_BYTES
    for each in error.violations[:MOST_VIOLATIONS]:
        violation = BadRequest.FieldViolation(
            field=each.field[:MOST_FIELD_CHARS], description=_short(each.problem)
        )
        room -= violation.ByteSize()
        if room < 0:
            break
        written.append(violation)
    return written


def _metadata(error: Exception) -> dict[str, str]:
    match error:
        case server.UnknownUserError():
            return {"user_id": error.user_id}
        case server.GenerationUnknownError():
            return {"generation": error.name[:80]}
        case server.UnknownItemError():
            return {"item_id": error.item_id}
        case server.SpaceMismatchError():
            return {"space_id": error.space_id[:80], "expected_space_id": error.expected}
        case server.PageExpiredError():
            return {"generation": error.generation[:80], "expected_generation": error.expected}
        case security.PermissionDeniedError():
            return {"role": error.role}
    return {}
