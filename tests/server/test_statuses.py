from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import RequestInfo

from export.generation import GenerationError
from features.errors import FeatureError
from nearfield.v1.errors_pb2 import ErrorReason
from retrieval.errors import QueryError, RetrievalError
from server.errors import InvalidRequestError, OverloadedError, ServiceError, Violation, shown
from server.statuses import REASON_PREFIX, TABLE, to_status
from tests.server.support import detail, reason, retry_s, violated

ROOTS = (ServiceError, FeatureError, RetrievalError, GenerationError)


def tree(root: type[Exception]) -> Iterator[type[Exception]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def test_every_error_that_a_call_can_meet_has_a_row() -> None:
    classes = {each for root in ROOTS for each in tree(root)}
    assert len(classes) > 25
    assert {each.__name__ for each in classes - TABLE.keys()} == set()


def test_every_row_is_for_an_error_that_exists() -> None:
    classes = {each for root in ROOTS for each in tree(root)}
    assert {each.__name__ for each in TABLE.keys() - classes} == set()


def test_every_reason_of_the_contract_is_used() -> None:
    used = {row.reason for row in TABLE.values()}
    unspecified = ErrorReason.ERROR_REASON_UNSPECIFIED
    assert used == set(ErrorReason.values()) - {unspecified}


def test_internal_rows_have_a_text_of_their_own() -> None:
    internal = [row for row in TABLE.values() if row.code is grpc.StatusCode.INTERNAL]
    assert internal
    assert all(row.text for row in internal)


def test_only_rows_worth_retrying_say_when() -> None:
    worth = {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
    }
    for row in TABLE.values():
        if row.retry_s is not None:
            assert row.code in worth
        if row.code is grpc.StatusCode.UNAVAILABLE:
            assert row.retry_s is not None


@pytest.mark.parametrize("error", [ValueError("secret"), QueryError("k", "secret")])
def test_unexpected_error_becomes_internal_without_its_text(error: Exception) -> None:
    status = to_status(error, "id-1")
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert reason(status) == "FAULT"
    assert "secret" not in str(status)
    told = detail(status, RequestInfo)
    assert told is not None
    assert told.request_id == "id-1"


def test_violations_name_their_fields() -> None:
    error = InvalidRequestError((Violation("k", "too small"), Violation("user", "missing")))
    status = to_status(error, "")
    assert violated(status) == {"k": "too small", "user": "missing"}
    assert status.message == "k: too small; user: missing"


def test_retry_delay_keeps_its_fraction() -> None:
    assert retry_s(to_status(OverloadedError(3, "calls"), "")) == 0.5


def test_reasons_are_the_enums_names_without_prefix() -> None:
    assert all(name.startswith(REASON_PREFIX) for name in ErrorReason.keys())  # noqa: SIM118 - no dict


@pytest.mark.parametrize("value", ["x" * 1000, "\x00\u202e🎧", 'quote " and \\'])
def test_values_are_shown_short_and_in_ascii(value: str) -> None:
    text = shown(value)
    assert text.isascii()
    assert text.isprintable()
    assert len(text) < 1000
