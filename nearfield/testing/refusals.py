"""What the fake refuses requests with, and how a status travels."""

from collections.abc import Mapping

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status as RichStatus

from nearfield.enums import Reason
from nearfield.errors import DOMAIN, FieldViolation, Status, StatusError, error_of
from nearfield.statuses import DETAILS_TRAILER

NANOS = 10**9
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the retries of gRPC clients to stay away. Source: gRFC A6."""


def refusal(
    code: grpc.StatusCode, reason: Reason, message: str, metadata: Mapping[str, str] | None = None
) -> StatusError:
    """Make an error as the server's own."""
    return error_of(Status(code, message, reason, DOMAIN, metadata or {}))


def invalid(field: str, problem: str) -> StatusError:
    """Make the error for a field that breaks the contract."""
    return error_of(
        Status(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"{field}: {problem}",
            Reason.REQUEST_INVALID,
            DOMAIN,
            violations=(FieldViolation(field, problem),),
        )
    )


def trailers(status: Status) -> tuple[tuple[str, str | bytes], ...]:
    """Write what servers send beside the code and the message of a call that failed."""
    details = (DETAILS_TRAILER, written(status).SerializeToString())
    pushed_back = status.reason == Reason.FEATURIZER_UNAVAILABLE
    return (details, NO_RETRY) if pushed_back else (details,)


def written(status: Status) -> RichStatus:
    """Write a status with all its details, as servers send it."""
    rich = RichStatus(code=status.code.value[0], message=status.message)
    if status.reason:
        info = ErrorInfo(reason=status.reason, domain=status.domain, metadata=status.metadata)
        rich.details.add().Pack(info)
    if status.violations:
        violations = [
            BadRequest.FieldViolation(field=each.field, description=each.description)
            for each in status.violations
        ]
        rich.details.add().Pack(BadRequest(field_violations=violations))
    if status.retry_delay_s is not None:
        nanos = round(status.retry_delay_s * NANOS)
        delay = Duration(seconds=nanos // NANOS, nanos=nanos % NANOS)
        rich.details.add().Pack(RetryInfo(retry_delay=delay))
    if status.request_id:
        rich.details.add().Pack(RequestInfo(request_id=status.request_id))
    return rich
