"""From what gRPC says about a failed call to a StatusError, with all details that came with it."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status as RichStatus

from nearfield.enums import Reason
from nearfield.errors import FieldViolation, Status, StatusError, error_of

DETAILS_TRAILER = "grpc-status-details-bin"
"""Trailer in which gRPC servers send a google.rpc.Status."""

CODE_OF_NUMBER: Mapping[int, grpc.StatusCode] = MappingProxyType(
    {code.value[0]: code for code in grpc.StatusCode}
)


UNSENT = (
    "connections to all backends failing",
    "failed to connect to all addresses",
    "errors resolving ",
    "DNS resolution failed",
)
"""How gRPC begins to tell, of UNAVAILABLE alone, that it had no connection to send a call over."""


def error_of_call(
    code: grpc.StatusCode,
    message: str,
    trailers: Iterable[tuple[str, str | bytes]],
    request_id: str,
    proxy: str = "",
) -> StatusError:
    """Make the error of a call that ended with `code`, over a route with `proxy` on the way.

    Details that cannot be read are left out: the code and the message came apart from them. Where
    there are none, it may be the proxy's error as well as the server's.
    """
    for key, value in trailers:
        if key == DETAILS_TRAILER and isinstance(value, bytes):
            try:
                rich = RichStatus.FromString(value)
            except DecodeError:
                break
            return error_of(_status(code, message or rich.message, rich, request_id))
    unsent = code is grpc.StatusCode.UNAVAILABLE and message.startswith(UNSENT)
    told = by_way_of(proxy, message)
    return error_of(Status(code, told, request_id=request_id, unsent=unsent))


def by_way_of(proxy: str, message: str) -> str:
    """Say in a message which variable names the proxy on the way, where there is one."""
    return f"{message} (by way of the proxy that {proxy} names)" if proxy else message


def error_of_element(status: RichStatus, request_id: str) -> StatusError:
    """Make the error of an element of a batch, whose status is not OK."""
    code = CODE_OF_NUMBER.get(status.code, grpc.StatusCode.UNKNOWN)
    return error_of(_status(code, status.message, status, request_id))


def nobody_there(error: StatusError) -> bool:
    """Tell whether another server should be asked: this one is away, or about to leave.

    One whose featurizer is away answers everything else.
    """
    away = error.code is grpc.StatusCode.UNAVAILABLE
    return away and error.reason != Reason.FEATURIZER_UNAVAILABLE


def undone(error: StatusError) -> bool:
    """Tell whether the call was certainly not done: not sent, or refused with a wait."""
    refused = error.code is grpc.StatusCode.RESOURCE_EXHAUSTED and error.retry_delay_s is not None
    return error.unsent or refused


def passed_over(error: StatusError) -> bool:
    """Tell whether the next calls should rather go elsewhere.

    Beside a server that is away that is one from which nothing was heard in time: it may hang, or
    its machine may be gone. A server that says itself that it was too late gives a reason.
    """
    silent = error.code is grpc.StatusCode.DEADLINE_EXCEEDED and not error.reason
    return silent or nobody_there(error)


def _status(code: grpc.StatusCode, message: str, rich: RichStatus, request_id: str) -> Status:
    info = ErrorInfo()
    bad = BadRequest()
    retry = RetryInfo()
    request = RequestInfo()
    found = {
        part.DESCRIPTOR.full_name
        for part in (info, bad, retry, request)
        for packed in rich.details
        if _unpacked(packed.type_url, packed.value, part)
    }
    return Status(
        code,
        message,
        reason=info.reason,
        domain=info.domain,
        metadata=dict(info.metadata),
        violations=tuple(FieldViolation(v.field, v.description) for v in bad.field_violations),
        retry_delay_s=(
            retry.retry_delay.ToTimedelta().total_seconds()
            if retry.DESCRIPTOR.full_name in found
            else None
        ),
        request_id=request.request_id or request_id,
    )


def _unpacked(
    type_url: str,
    value: bytes,
    part: ErrorInfo | BadRequest | RetryInfo | RequestInfo,
) -> bool:
    """Fill `part` where the detail is of its type and can be read."""
    if type_url.rpartition("/")[2] != part.DESCRIPTOR.full_name:
        return False
    try:
        part.ParseFromString(value)
    except DecodeError:
        part.Clear()
        return False
    return True
