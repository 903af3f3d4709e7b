"""Requests drawn from the contract's descriptors: every field, its ordinary and its odd values."""

import math
import random
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from export.generation import Generation

ODD_TEXTS = ("", " ", "\0", "a", "\u202e", "🎧" * 40, "e\u0301", "x" * 513, "../..", "ü" * 20_001)
ODD_FLOATS = (
    *(0.0, -0.0, 1.0, -1.0, 1e-3, 1e3, 1e-45, 3.4e38, -3.4e38),
    *(math.nan, math.inf, -math.inf),
)
ODD_WHOLES = (0, 1, 2, 3, 10, 100, 1000, 1001, 2**31 - 1, -1, -(2**31))
LARGEST: Mapping[int, int] = {
    FieldDescriptor.CPPTYPE_INT32: 2**31 - 1,
    FieldDescriptor.CPPTYPE_INT64: 2**63 - 1,
    FieldDescriptor.CPPTYPE_UINT32: 2**32 - 1,
    FieldDescriptor.CPPTYPE_UINT64: 2**64 - 1,
}
LENGTHS = (0, 1, 1, 1, 2, 2, 3, 5, 20)
"""Elements of a repeated field; the more often, the likelier."""
LONG = (257, 1001)
"""Now and then beyond the limits."""


@dataclass(frozen=True)
class Words:
    """What makes sense in the fields of some names; without it nothing would get past the door."""

    texts: Mapping[str, Sequence[str]]
    data: Sequence[bytes]
    """Vectors as bytes."""
    dimensions: int


def words_of(generation: Generation) -> Words:
    """Take words from a generation, ids that nobody knows beside them."""
    users = [generation.user_ids.id(row) for row in range(min(40, len(generation.user_ids)))]
    items = [generation.item_ids.id(row) for row in range(min(200, len(generation)))]
    manifest, width = generation.manifest, generation.manifest.dimensions.vector
    ids = [*items, "nobody-knows"]
    texts = {
        "user_id": [*users, "nobody-knows"],
        "item_id": ids,
        "include_item_ids": ids,
        "exclude_item_ids": ids,
        "related_item_ids": ids,
        "item_type": [*manifest.item_types, "unheard-of"],
        "item_types": manifest.item_types,
        "space_id": [manifest.space_id] * 9 + ["another"],
        "name": [manifest.generation, "nothing"],
        "title": ["Dune", "The Left Hand of Darkness", "war and peace " * 40],
    }
    vector = generation.item_vectors[0]
    numbers = [vector.tobytes(), vector.astype("<f2").tobytes(), bytes(4 * width)]
    odd = [struct.pack("<f", each) * width for each in (math.nan, math.inf, 3e38, 1e-45)]
    return Words(texts, [*numbers, *odd, b"", b"x"], width)


class Drawer:
    """Draws messages; the same seed draws the same."""

    def __init__(self, rng: random.Random, words: Words) -> None:
        self._rng = rng
        self._words = words

    def message(self, kind: type[Message], oddness: float) -> Message:
        """Draw a message; `oddness` is the share of its values that are odd."""
        message = kind()
        self._fill(message, oddness, least=0.5)
        return message

    def _fill(self, message: Message, oddness: float, least: float) -> None:
        chosen = self._chosen(message, least)
        for field in chosen:
            if field.is_repeated:
                self._repeat(message, field, oddness)
            elif field.message_type is not None:
                part: Message = getattr(message, field.name)
                part.SetInParent()
                self._fill(part, oddness, least)
            else:
                setattr(message, field.name, self._value(field, oddness))

    def _chosen(self, message: Message, share: float) -> list[FieldDescriptor]:
        """Choose fields: at most one of a oneof, which now and then stays empty."""
        descriptor: Any = message.DESCRIPTOR  # of one of protobuf's two implementations
        alone = [each for each in descriptor.fields if each.containing_oneof is None]
        groups = [[each] for each in alone]
        groups += [list(oneof.fields) for oneof in descriptor.oneofs]
        likely = [0.9 if len(group) > 1 or group[0].name == "user" else share for group in groups]
        return [
            self._rng.choice(group)
            for group, chance in zip(groups, likely, strict=True)
            if self._rng.random() < chance
        ]

    def _repeat(self, message: Message, field: FieldDescriptor, oddness: float) -> None:
        length = self._rng.choice(LENGTHS)
        if self._rng.random() < oddness / 50:
            length = self._rng.choice(LONG)
        elements = getattr(message, field.name)
        for _ in range(length):
            if field.message_type is not None:
                self._fill(elements.add(), oddness, least=0.4 if length < LONG[0] else 0.1)
            else:
                elements.append(self._value(field, oddness))

    def _value(self, field: FieldDescriptor, oddness: float) -> object:
        odd = self._rng.random() < oddness
        match field.cpp_type:
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                return self._rng.choice(self._words.data)
            case FieldDescriptor.CPPTYPE_STRING:
                known = self._words.texts.get(field.name, ("a word", "another"))
                return self._rng.choice(ODD_TEXTS if odd else known)
            case FieldDescriptor.CPPTYPE_FLOAT | FieldDescriptor.CPPTYPE_DOUBLE:
                return self._rng.choice(ODD_FLOATS) if odd else self._rng.uniform(0.01, 5.0)
            case FieldDescriptor.CPPTYPE_BOOL:
                return self._rng.random() < 0.5
            case FieldDescriptor.CPPTYPE_ENUM:
                return self._rng.choice((-1, 99, -(2**31), 2**31 - 1) if odd else (0, 1, 2, 3))
        return self._whole(field, odd=odd)

    def _whole(self, field: FieldDescriptor, *, odd: bool) -> int:
        if field.name == "dimensions" and not odd:
            return self._words.dimensions
        largest = LARGEST[field.cpp_type]
        signed = field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64)
        if not odd:
            return self._rng.randint(1, 50)
        drawn = self._rng.choice((*ODD_WHOLES, largest, -largest - 1))
        return drawn if signed else abs(drawn) % (largest + 1)
