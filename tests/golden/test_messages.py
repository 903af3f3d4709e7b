"""Bytes that clients of the first contract send, and that its servers answer, are read for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from tests.golden.write_messages import requests_and_answers

REQUESTS_AND_ANSWERS = requests_and_answers()
GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("messages_1.json").read_text())


@pytest.mark.parametrize("name", GOLDEN)
def test_bytes_of_the_first_contract_say_what_they_said(name: str) -> None:
    kind = REQUESTS_AND_ANSWERS[name]
    message = kind.FromString(bytes.fromhex(GOLDEN[name]["bytes"]))
    assert MessageToDict(message, preserving_proto_field_name=True) == GOLDEN[name]["content"]


def test_nothing_of_the_first_contract_has_gone() -> None:
    assert len(GOLDEN) >= 28
    assert GOLDEN.keys() <= REQUESTS_AND_ANSWERS.keys()
