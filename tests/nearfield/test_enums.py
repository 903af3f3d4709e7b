from enum import Enum
from typing import Any

import pytest

from nearfield.enums import (
    Degradation,
    Grouping,
    Provenance,
    Reason,
    Signal,
    VectorDtype,
    WarningCode,
    known,
)
from nearfield.v1 import errors_pb2, recommendation_pb2, types_pb2

UNSET = {"UNSPECIFIED": 0}


@pytest.mark.parametrize(
    ("ours", "contract", "prefix", "left_out"),
    [
        (VectorDtype, types_pb2.VectorDtype, "VECTOR_DTYPE_", UNSET),
        (Provenance, types_pb2.Provenance, "PROVENANCE_", {}),
        (Degradation, recommendation_pb2.Degradation, "DEGRADATION_", {}),
        (Signal, types_pb2.Signal, "SIGNAL_", UNSET),
        (Grouping, types_pb2.Grouping, "GROUPING_", UNSET),
        (WarningCode, types_pb2.WarningCode, "WARNING_CODE_", {}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_names_and_numbers_are_the_contracts(
    ours: type[Enum],
    contract: Any,  # noqa: ANN401  the generated enums share no public type
    prefix: str,
    left_out: dict[str, int],
) -> None:
    named = {name.removeprefix(prefix): number for name, number in contract.items()}

    assert {each.name: each.value for each in ours} | left_out == named


def test_reasons_are_the_contracts() -> None:
    named = {name.removeprefix("ERROR_REASON_") for name, _ in errors_pb2.ErrorReason.items()}

    assert set(Reason) == named - {"UNSPECIFIED"}


def test_value_newer_than_this_client_is_unspecified() -> None:
    assert known(Provenance, 99) is Provenance.UNSPECIFIED
    assert known(WarningCode, 99) is WarningCode.UNSPECIFIED
    assert known(Provenance, 3) is Provenance.TEXT_ONLY
