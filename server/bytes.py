"""Messages written as bytes, field by field, where many alike would otherwise be made one by one.

A hit's item is the same whoever it is shown to, so its bytes are kept and only the score is added.
Fields of a message may come in any order. Source: Protocol Buffers, Encoding.
"""

from collections.abc import Iterable
from struct import Struct

from nearfield.v1 import types_pb2
from server.items import known_provenance
from server.stores.catalogue import Catalogue
from server.wire import PROVENANCES

MOST_KEPT = 200_000
"""Items whose bytes are kept, about 100 bytes each; beyond it all are forgotten, which is rare."""
_LENGTH_DELIMITED, _FIXED32, _VARINT = 2, 5, 0
_SCORE, _SCORES = Struct("<Bf"), Struct("<BfBf")


def tag(number: int, kind: int) -> int:
    """Give the tag of a field below number 16: one byte."""
    return number << 3 | kind


def varint(number: int) -> bytes:
    """Write a number, 0 or above, 7 bits a byte, the lowest first."""
    if number < 0x80:
        return bytes((number,))
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def inner(number: int, message: bytes) -> bytes:
    """Write a message as field `number` of another."""
    return b"%c%b%b" % (tag(number, _LENGTH_DELIMITED), varint(len(message)), message)


def counted(number: int, value: int) -> bytes:
    """Write a whole number, or an enum's value, as field `number`; 0 is left out."""
    return b"%c%b" % (tag(number, _VARINT), varint(value)) if value else b""


_SCORE_TAG = tag(types_pb2.ItemHit.SCORE_FIELD_NUMBER, _FIXED32)
_CHANCE_TAG = tag(types_pb2.ItemHit.CALIBRATED_SCORE_FIELD_NUMBER, _FIXED32)


class HitBytes:
    """Writes hits of one catalogue without title and explanation; for one thread."""

    def __init__(self, catalogue: Catalogue, *, most: int = MOST_KEPT) -> None:
        self._catalogue = catalogue
        self._most = most
        self._kept: dict[int, bytes] = {}

    def write(
        self,
        number: int,
        rows: Iterable[int],
        scores: Iterable[float],
        chances: Iterable[float] | None,
    ) -> bytes:
        """Write hits, best first, as the repeated field `number` of another message.

        `chances` are their calibrated scores, None where nobody knows.
        """
        kept, head = self._kept, tag(number, _LENGTH_DELIMITED)
        if chances is None:
            numbers = [_SCORE.pack(_SCORE_TAG, score) for score in scores]
        else:
            numbers = [
                _SCORES.pack(_SCORE_TAG, score, _CHANCE_TAG, chance)
                for score, chance in zip(scores, chances, strict=True)
            ]
        parts = []
        for row, scored in zip(rows, numbers, strict=True):
            item = kept.get(row) or self._item(row)
            parts.append(b"%c%b%b%b" % (head, varint(len(item) + len(scored)), item, scored))
        return b"".join(parts)

    def _item(self, row: int) -> bytes:
        catalogue = self._catalogue
        hit = types_pb2.ItemHit(
            item_id=catalogue.item_id(row),
            item_type=catalogue.type_name(row),
            provenance=PROVENANCES[known_provenance(catalogue, row)],
        )
        if len(self._kept) >= self._most:
            self._kept.clear()
        item = self._kept[row] = hit.SerializeToString()
        return item
