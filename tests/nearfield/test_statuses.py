import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RequestInfo, RetryInfo
from google.rpc.status_pb2 import Status as RichStatus

from nearfield.enums import Reason
from nearfield.errors import (
    FieldViolation,
    InvalidArgumentError,
    Status,
    UnknownError,
    error_of,
)
from nearfield.statuses import (
    DETAILS_TRAILER,
    error_of_call,
    error_of_element,
    nobody_there,
    passed_over,
    undone,
)

CODE = grpc.StatusCode.INVALID_ARGUMENT


def rich() -> RichStatus:
    status = RichStatus(code=3, message="rich message")
    for detail in (
        ErrorInfo(reason="REQUEST_INVALID", domain="nearfield", metadata={"a": "b"}),
        BadRequest(field_violations=[BadRequest.FieldViolation(field="k", description="too big")]),
        RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
        RequestInfo(request_id="the server's"),
    ):
        status.details.add().Pack(detail)
    return status


def test_all_details_of_the_trailer_are_read() -> None:
    trailer = (DETAILS_TRAILER, rich().SerializeToString())

    error = error_of_call(CODE, "message", [("other", "x"), trailer], "ours")

    assert type(error) is InvalidArgumentError
    assert error.status == Status(
        CODE,
        "message",
        "REQUEST_INVALID",
        "nearfield",
        {"a": "b"},
        (FieldViolation("k", "too big"),),
        1.5,
        "the server's",
    )


def test_details_of_an_element_are_those_of_a_call() -> None:
    error = error_of_element(rich(), "ours")

    trailers = [(DETAILS_TRAILER, rich().SerializeToString())]
    assert error.status == error_of_call(CODE, "rich message", trailers, "ours").status


def test_error_without_details_has_the_callers_request_id() -> None:
    error = error_of_call(CODE, "message", (), "ours")

    assert error.status == Status(CODE, "message", request_id="ours")


def test_details_that_cannot_be_read_are_left_out() -> None:
    error = error_of_call(CODE, "message", [(DETAILS_TRAILER, b"\xff\xff\xff")], "ours")

    assert error.status == Status(CODE, "message", request_id="ours")


def test_one_damaged_detail_does_not_take_the_others_along() -> None:
    status = rich()
    status.details.insert(
        0, Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff")
    )
    status.details.insert(0, Any(type_url="type.googleapis.com/some.Other", value=b"\xff"))

    error = error_of_element(status, "ours")

    assert (error.reason, error.retry_delay_s) == ("REQUEST_INVALID", 1.5)


def test_detail_that_is_cut_off_is_left_out_whole() -> None:
    cut_off = ErrorInfo(reason="HALF").SerializeToString() + b"\x12\x7f"
    status = RichStatus(code=3)
    status.details.add(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=cut_off)

    assert error_of_element(status, "ours").reason == ""


def test_retry_delay_of_nothing_is_not_the_lack_of_one() -> None:
    status = RichStatus(code=14)
    status.details.add().Pack(RetryInfo())

    assert error_of_element(status, "").retry_delay_s == 0.0
    assert error_of_element(RichStatus(code=14), "").retry_delay_s is None


@pytest.mark.parametrize("code", [17, 999, -1])
def test_code_that_grpc_does_not_define_is_unknown(code: int) -> None:
    assert type(error_of_element(RichStatus(code=code), "")) is UnknownError


@pytest.mark.parametrize(
    ("code", "reason", "away", "passed"),
    [
        (grpc.StatusCode.UNAVAILABLE, "", True, True),
        (grpc.StatusCode.UNAVAILABLE, Reason.SHUTTING_DOWN, True, True),
        (grpc.StatusCode.UNAVAILABLE, Reason.FEATURIZER_UNAVAILABLE, False, False),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "", False, True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.DEADLINE_PASSED, False, False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Reason.OVERLOADED, False, False),
        (grpc.StatusCode.INTERNAL, "", False, False),
    ],
)
def test_servers_to_go_on_from_are_told_from_those_to_stay_with(
    code: grpc.StatusCode, reason: str, away: bool, passed: bool
) -> None:
    error = error_of(Status(code, "", reason))

    assert (nobody_there(error), passed_over(error)) == (away, passed)


@pytest.mark.parametrize(
    ("code", "message", "unsent"),
    [
        (grpc.StatusCode.UNAVAILABLE, "connections to all backends failing; last error: …", True),
        (grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses; last error: …", True),
        (grpc.StatusCode.UNAVAILABLE, "errors resolving a.invalid:1: […]", True),
        (grpc.StatusCode.UNAVAILABLE, "DNS resolution failed for a.invalid:1", True),
        (grpc.StatusCode.UNAVAILABLE, "Socket closed", False),
        (grpc.StatusCode.UNAVAILABLE, "recvmsg:Connection reset by peer", False),
        (grpc.StatusCode.UNKNOWN, "failed to connect to all addresses", False),
    ],
)
def test_call_without_a_connection_is_told_from_one_that_lost_it(
    code: grpc.StatusCode, message: str, unsent: bool
) -> None:
    error = error_of_call(code, message, (), "")

    assert (error.unsent, undone(error)) == (unsent, unsent)


def test_servers_own_error_is_never_one_of_a_call_without_a_connection() -> None:
    trailers = [(DETAILS_TRAILER, rich().SerializeToString())]

    error = error_of_call(
        grpc.StatusCode.UNAVAILABLE, "failed to connect to all addresses", trailers, ""
    )

    assert not error.unsent
