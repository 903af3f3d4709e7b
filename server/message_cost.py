"""What a message takes in memory once it is parsed, measured on its bytes before it is parsed.

A message of many small parts is much larger in memory than on the wire: an empty element of a batch
takes two bytes there and more than a hundred here. So requests are bounded by cost, not by length.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from numpy.typing import NDArray

from retrieval.compiled import compiled

SMALL_BYTES = 4096
"""Messages up to this length are not walked through; the most one of them takes is 0.3 MB."""
BATCH_FIELD = "requests"
"""Name of the field that holds the elements of a batch."""
PART_BYTES, FIELD_BYTES = 32, 8
"""Memory of a submessage, and of each field that its type has; the first also of an element of a
list of strings. Upper bounds of what upb takes, the parser inside protobuf for Python: 112 bytes
for an empty RecommendRequest, 64 for an event, 27 for a string."""
_FIELDS = 32
"""Field numbers that are looked up; those of the contract are lower."""
_DEPTH = 32
_NO_TYPE = -1
_MALFORMED = -1

_compiled = compiled(nogil=True)


class MalformedMessageError(Exception):
    """The bytes do not follow the wire format."""


@dataclass(frozen=True)
class Measure:
    """What is known of a message before it is parsed."""

    bytes: int
    """Memory that it takes; where this is more than was allowed, a lower bound."""
    elements: int
    """Elements of a batch, with the same exception; 0 where it is small or no batch."""


class MessageCost:
    """Measures messages of one type. Takes some ten nanoseconds for each part."""

    def __init__(self, request: type[Message]) -> None:
        descriptor: Any = request.DESCRIPTOR  # of the Python parser or of upb
        self._types, self._bytes = _tables(descriptor)
        batch = descriptor.fields_by_name.get(BATCH_FIELD)
        self._batch = 0 if batch is None else batch.number

    def measure(self, data: bytes, most: int) -> Measure:
        """Measure a message, and stop where it takes more than `most` bytes.

        Raises:
            MalformedMessageError: the bytes are no message.
        """
        if len(data) <= SMALL_BYTES:
            return Measure(len(data), 0)
        parts, elements = scan(
            np.frombuffer(data, np.uint8), self._types, self._bytes, self._batch, most - len(data)
        )
        if parts == _MALFORMED:
            raise MalformedMessageError
        return Measure(len(data) + parts, elements)


def load() -> None:
    """Compile the scan, or load it where it is compiled already, so that no call waits for it."""
    types, sizes = np.full((1, _FIELDS), _NO_TYPE, np.int32), np.zeros((1, _FIELDS), np.int32)
    scan(np.frombuffer(b"\0", np.uint8), types, sizes, 0, 0)


def _tables(root: Descriptor) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Tabulate what a type and those of its submessages consist of.

    Shapes:
        returns: twice (types, _FIELDS), by row of the type and number of a field. The row of the
            submessage's type, _NO_TYPE where there is none; and the bytes that each part takes, 0
            for fields that hold one value.
    """
    found: list[Descriptor] = [root]

    def row_of(descriptor: Descriptor) -> int:
        if descriptor not in found:
            found.append(descriptor)
        return found.index(descriptor)

    rows = [_row(each, row_of) for each in found]  # `found` grows while it is walked
    return np.stack([types for types, _ in rows]), np.stack([sizes for _, sizes in rows])


def _row(
    descriptor: Descriptor, row_of: Callable[[Descriptor], int]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    types, sizes = np.full(_FIELDS, _NO_TYPE, np.int32), np.zeros(_FIELDS, np.int32)
    for field in descriptor.fields:
        if field.message_type is not None:
            types[field.number] = row_of(field.message_type)
            sizes[field.number] = PART_BYTES + FIELD_BYTES * len(field.message_type.fields)
        elif field.is_repeated and field.type in (field.TYPE_STRING, field.TYPE_BYTES):
            sizes[field.number] = PART_BYTES
    return types, sizes


def _varint(data: NDArray[np.uint8], start: int, end: int) -> tuple[int, int]:
    """Read a varint; gives its value and where it ends, -1 where it does not."""
    number = 0
    for place in range(min(10, end - start)):
        byte = int(data[start + place])
        if place < 9:
            number |= (byte & 127) << (7 * place)
        if byte < 128:
            return number, start + place + 1
    return 0, -1


varint: Any = _compiled(_varint)


def _value(data: NDArray[np.uint8], start: int, end: int, kind: int) -> tuple[int, int]:
    """Find where a value of a wire type begins and ends; -1 where it does not end."""
    if kind == 2:  # its length comes first
        length, begin = varint(data, start, end)
        return (begin, begin + length) if 0 <= length <= end - begin and begin >= 0 else (0, -1)
    if kind == 0:
        return start, varint(data, start, end)[1]
    if kind == 1 or kind == 5:
        size = 8 if kind == 1 else 4
        return (start, start + size) if start + size <= end else (0, -1)
    return start, start  # the begin or end of a group, which the contract does not have


value: Any = _compiled(_value)


def _scan(
    data: NDArray[np.uint8],
    types: NDArray[np.int32],
    sizes: NDArray[np.int32],
    batch: int,
    most: int,
) -> tuple[int, int]:
    """Add up the parts of a message; gives their bytes and the number of fields `batch`.

    Shapes:
        data: (n,). types, sizes: see `_tables`; the message is of the type in row 0.
    """
    ends = np.zeros(_DEPTH, np.int64)
    rows = np.zeros(_DEPTH, np.int64)
    ends[0] = len(data)
    depth, here, taken, elements = 0, 0, 0, 0
    while depth >= 0 and taken <= most:
        if here == ends[depth]:
            depth -= 1
            continue
        tag, here = varint(data, here, ends[depth])
        if here < 0:
            return _MALFORMED, 0
        begin, here = value(data, here, ends[depth], tag & 7)
        if here < 0:
            return _MALFORMED, 0
        number = min(tag >> 3, _FIELDS - 1) if tag & 7 == 2 else 0  # no field has these numbers
        taken += sizes[rows[depth], number]
        elements += depth == 0 and number == batch and number > 0
        if types[rows[depth], number] >= 0 and depth + 1 < _DEPTH:
            depth += 1
            ends[depth] = here
            rows[depth] = types[rows[depth - 1], number]
            here = begin
    return taken, elements


scan: Any = _compiled(_scan)
