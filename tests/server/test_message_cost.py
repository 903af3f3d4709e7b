"""What is measured on the bytes, beside what the parser finds and takes."""

from typing import Any

import pytest
from google.protobuf.message import Message

from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1.types_pb2 import HistoryEvent, UserInput
from server.message_cost import (
    FIELD_BYTES,
    PART_BYTES,
    SMALL_BYTES,
    MalformedMessageError,
    MessageCost,
)
from server.methods import ADMIN_METHODS, METHODS

MUCH = 2**30
BATCH = MessageCost(pb.BatchRecommendRequest)


def part(message: Any) -> int:  # noqa: ANN401 - a class of messages
    return PART_BYTES + FIELD_BYTES * len(message.DESCRIPTOR.fields)


def batch(people: int, events: int) -> bytes:
    history = [HistoryEvent(item_id=f"item-{number}") for number in range(events)]
    element = pb.RecommendRequest(user=UserInput(history=history))
    return pb.BatchRecommendRequest(requests=[element] * people).SerializeToString()


def test_parts_of_a_batch_are_counted_at_every_depth() -> None:
    data = batch(people=20, events=30)
    measured = BATCH.measure(data, MUCH)
    element = part(pb.RecommendRequest) + part(UserInput) + 30 * part(HistoryEvent)
    assert measured.bytes == len(data) + 20 * element
    assert measured.elements == 20


def test_strings_of_a_list_are_parts() -> None:
    ids = ["x"] * 3000
    request = pb.RecommendRequest(filter=pb.ItemFilter(exclude_item_ids=ids))
    data = request.SerializeToString()
    measured = MessageCost(pb.RecommendRequest).measure(data, MUCH)
    assert measured.bytes == len(data) + part(pb.ItemFilter) + 3000 * PART_BYTES
    assert measured.elements == 0


def test_small_message_is_not_walked_through() -> None:
    assert BATCH.measure(b"\xff" * SMALL_BYTES, MUCH).bytes == SMALL_BYTES


def test_walk_ends_where_there_is_more_than_was_allowed() -> None:
    data = b"\x0a\x00" * 2_000_000
    measured = BATCH.measure(data, 5_000_000)
    assert 5_000_000 < measured.bytes < 5_001_000
    assert measured.elements < 10_000


@pytest.mark.parametrize("fill", [b"\x0a", b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0d\x01"])
def test_what_does_not_follow_the_wire_format_is_refused(fill: bytes) -> None:
    data = fill * (SMALL_BYTES // len(fill) + 2)
    with pytest.raises(MalformedMessageError):
        BATCH.measure(data[: len(data) - len(data) % len(fill) - (len(fill) > 1)], MUCH)


def test_unknown_fields_and_numbers_are_passed_over() -> None:
    request = pb.BatchRecommendRequest.FromString(batch(people=3, events=100))
    known = request.SerializeToString()
    odd = b"\xfa\x07\x02ab" + b"\x08\x96\x01" + b"\x0d\0\0\0\0" + b"\x09" + b"\0" * 8
    assert BATCH.measure(known + odd, MUCH).bytes == BATCH.measure(known, MUCH).bytes + len(odd)


def submessages(message: Any, seen: set[str]) -> None:  # noqa: ANN401 - a descriptor
    if message.full_name in seen:
        return
    seen.add(message.full_name)
    for field in message.fields:
        assert field.number < 32, field.full_name
        if field.message_type is not None:
            submessages(field.message_type, seen)


def test_field_numbers_of_requests_are_among_those_looked_up() -> None:
    seen: set[str] = set()
    for method in (*METHODS.values(), *ADMIN_METHODS.values()):
        submessages(method.request.DESCRIPTOR, seen)
    assert "nearfield.v1.HistoryEvent" in seen


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_every_request_can_be_measured(method: Any) -> None:  # noqa: ANN401 - a method
    request: Message = method.request()
    assert MessageCost(method.request).measure(request.SerializeToString(), MUCH).elements == 0
