"""Bytes that were a request before something happened to them on the way."""

import random
from collections.abc import Callable

Mutation = Callable[[random.Random, bytearray], bytes]

MOST_BYTES = 100_000
"""Of a mutated request."""
DEEP = 3_000
VARINT_MOST = b"\xff" * 9 + b"\x01"
ENDLESS = b"\xff" * 12
NOT_UTF8 = (b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xf4\x90\x80\x80")


def random_bytes(rng: random.Random) -> bytes:
    """Draw bytes that never were anything."""
    return rng.randbytes(rng.choice((0, 1, 2, 5, 20, 100, 1000)))


def mutate(rng: random.Random, data: bytes) -> bytes:
    """Let one to three things happen to a request."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(rng, bytearray(data))
    return data[:MOST_BYTES]


def flip_bits(rng: random.Random, data: bytearray) -> bytes:
    """Flip a few bits."""
    for _ in range(rng.randint(1, 8) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def truncate(rng: random.Random, data: bytearray) -> bytes:
    """Cut off the end."""
    return bytes(data[: rng.randint(0, len(data))])


def splice(rng: random.Random, data: bytearray) -> bytes:
    """Say a part of it twice, elsewhere."""
    first, last = sorted((rng.randint(0, len(data)), rng.randint(0, len(data))))
    place = rng.randint(0, len(data))
    return bytes(data[:place] + data[first:last] + data[place:])


def double(rng: random.Random, data: bytearray) -> bytes:
    """Send every field twice, or many times: the last one counts, and lists grow."""
    return bytes(data * min(rng.choice((2, 2, 300)), max(1, MOST_BYTES // max(1, len(data)))))


def large_number(rng: random.Random, data: bytearray) -> bytes:
    """Append a field with the largest number, or one whose number never ends."""
    return bytes(data) + _key(rng, 0) + rng.choice((VARINT_MOST, ENDLESS))


def wrong_length(rng: random.Random, data: bytearray) -> bytes:
    """Append a field that says it is longer than it is."""
    return bytes(data) + _key(rng, 2) + rng.choice((b"\x7f", VARINT_MOST, b"\xff\xff\xff\xff\x07"))


def wrong_kind(rng: random.Random, data: bytearray) -> bytes:
    """Append a field of a kind that it is not, groups and kinds that do not exist among them."""
    return bytes(data) + _key(rng, rng.randrange(8)) + rng.randbytes(8)


def not_utf8(rng: random.Random, data: bytearray) -> bytes:
    """Append a text that is none."""
    text = rng.choice(NOT_UTF8)
    return bytes(data) + _key(rng, 2) + bytes((len(text),)) + text


def deep(rng: random.Random, data: bytearray) -> bytes:
    """Append a message in a message in a message, or groups that begin and never end."""
    if rng.random() < 0.5:
        return bytes(data) + _key(rng, 3) * DEEP
    inner = b""
    key = _key(rng, 2)
    for _ in range(200):
        inner = key + varint(len(inner)) + inner
    return bytes(data) + inner


def overwrite(rng: random.Random, data: bytearray) -> bytes:
    """Write noise over a part."""
    if data:
        place = rng.randrange(len(data))
        noise = rng.randbytes(rng.randint(1, 16))
        data[place : place + len(noise)] = noise
    return bytes(data)


def varint(number: int) -> bytes:
    """Write a number as the wire does."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _key(rng: random.Random, kind: int) -> bytes:
    return varint(rng.choice((*range(10), 1000, 2**29 - 1)) << 3 | kind)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    splice,
    double,
    large_number,
    wrong_length,
    wrong_kind,
    not_utf8,
    deep,
    overwrite,
)
