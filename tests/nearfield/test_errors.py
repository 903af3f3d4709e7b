import pickle
import re

import grpc
import pytest

import nearfield
from nearfield import errors
from nearfield.errors import CLASS_OF_CODE, DOMAIN, NearfieldError, Status, error_of


def below(kind: type[NearfieldError]) -> set[type[NearfieldError]]:
    return {kind}.union(*(below(each) for each in kind.__subclasses__()))


def test_every_code_but_ok_has_a_class_of_its_own() -> None:
    assert set(CLASS_OF_CODE) == set(grpc.StatusCode) - {grpc.StatusCode.OK}
    assert len(set(CLASS_OF_CODE.values())) == len(CLASS_OF_CODE)


@pytest.mark.parametrize("code", CLASS_OF_CODE, ids=lambda code: code.name)
def test_error_of_a_code_is_of_the_codes_class(code: grpc.StatusCode) -> None:
    error = error_of(Status(code, "why"))

    assert type(error) is CLASS_OF_CODE[code]
    assert (error.code, error.message) == (code, "why")


def test_drawn_tree_is_the_tree() -> None:
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│ ├└─]*)([A-Za-z]+Error)\b", line)
        if found:
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else "Exception"

    assert drawn == {kind.__name__: kind.__bases__[0].__name__ for kind in below(NearfieldError)}


def test_every_error_can_be_caught_by_users() -> None:
    assert {kind.__name__ for kind in below(NearfieldError)} <= set(nearfield.__all__)


def test_reason_makes_the_class_more_specific() -> None:
    status = Status(grpc.StatusCode.FAILED_PRECONDITION, "", "SPACE_MISMATCH", DOMAIN)

    assert type(error_of(status)) is nearfield.SpaceMismatchError


@pytest.mark.parametrize(
    "status",
    [
        Status(grpc.StatusCode.FAILED_PRECONDITION, "", "SPACE_MISMATCH", "elsewhere"),
        Status(grpc.StatusCode.INTERNAL, "", "SPACE_MISMATCH", DOMAIN),
        Status(grpc.StatusCode.NOT_FOUND, "", "NEWER_THAN_THIS_CLIENT", DOMAIN),
    ],
    ids=["domain", "code", "unknown"],
)
def test_reason_that_does_not_fit_leaves_the_class_of_the_code(status: Status) -> None:
    assert type(error_of(status)) is CLASS_OF_CODE[status.code]


def test_error_prints_code_reason_message_and_request() -> None:
    status = Status(
        grpc.StatusCode.NOT_FOUND, "no item 'x'", "ITEM_UNKNOWN", DOMAIN, request_id="r1"
    )

    assert str(error_of(status)) == "NOT_FOUND (ITEM_UNKNOWN): no item 'x' [request r1]"
    assert str(error_of(Status(grpc.StatusCode.INTERNAL, "bug"))) == "INTERNAL: bug"


def test_errors_travel_between_processes() -> None:
    status = Status(
        grpc.StatusCode.INVALID_ARGUMENT,
        "k",
        "REQUEST_INVALID",
        DOMAIN,
        {"a": "b"},
        (errors.FieldViolation("k", "too large"),),
        1.5,
        "r1",
    )

    found = pickle.loads(pickle.dumps(error_of(status)))

    assert type(found) is nearfield.InvalidArgumentError
    assert found.status == status
