from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RequestInfo

from export.generation import GenerationError
from features.errors import FeatureError
from nearfield.v1.errors_pb2 import ErrorReason
from retrieval.errors import QueryError, RetrievalError
from server.errors import (
    GenerationInvalidError,
    InvalidRequestError,
    OverloadedError,
    ServiceError,
    UnknownItemError,
    Violation,
    shown,
)
from server.message_reader import Context
from server.statuses import REASON_PREFIX, TABLE, row_of, to_status
from server.surround import abort, refusal_of
from tests.server.support import detail, reason, retry_s, rich_status, violated

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


WIDE = "\U0001f3a7" * 5000
MANY = tuple(Violation(f"requests[{number}].{WIDE}", f"{WIDE} {number}") for number in range(500))


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError(MANY),
        InvalidRequestError((Violation("user.history", "x" * 100_000),)),
        GenerationInvalidError(WIDE),
        GenerationInvalidError("/" * 20_000),
        UnknownItemError("\x00" * 512),
    ],
    ids=["violations", "problem", "wide", "long", "id"],
)
async def test_status_of_any_length_reaches_the_caller(error: Exception) -> None:
    """What is longer than 8 KiB, a client of gRPC replaces by "Stream removed"."""

    async def refuse(messages: object, context: Context) -> bytes:
        await abort(context, refusal_of(error, "r" * 128))
        return b""

    behavior: Any = refuse
    server = grpc.aio.server()
    handler: Any = grpc.stream_unary_rpc_method_handler(behavior)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("x.X", {"M": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            method: Any = channel.unary_unary("/x.X/M")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(b"", timeout=20)
    finally:
        await server.stop(0)
    status = rich_status(caught.value)
    assert caught.value.code() is row_of(error).code
    assert len(status.SerializeToString()) <= 4096
    assert status.message


def test_violations_that_do_not_fit_are_counted() -> None:
    status = to_status(InvalidRequestError(MANY), "")
    info = detail(status, ErrorInfo)
    assert info is not None
    assert info.metadata["violations"] == "500"
    assert 1 <= len(violated(status)) < 20
