"""Page tokens: where in which list of which generation the next page begins.

A token is no secret and grants nothing: whoever makes one up gets a page that they could have asked
for. Its checksum is there to tell damage from a page.
"""

import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from server.hit_options import HitsRequest

VERSION = 1
_FINGERPRINT, _CHECKSUM = 16, 8
_HEAD = struct.Struct(f">BIIBQ{_FINGERPRINT}s")
_SEEDED = 1


class PageTokenError(ValueError):
    """A text is no page token of ours; the message says what was expected."""


@dataclass(frozen=True)
class Page:
    """One page of a list."""

    generation: str
    """Name of the generation whose list it is."""
    fingerprint: bytes
    """Of the request; see `fingerprint`."""
    size: int
    """Hits of the page, above 0."""
    offset: int = 0
    """Hits of the pages before it."""
    seed: int | None = None
    """What the list's exploration follows from, where there is any."""

    def next(self) -> "Page":
        """Give the page that follows."""
        return replace(self, offset=self.offset + self.size)

    def write(self) -> str:
        """Write the page as a token that can be part of a URL."""
        flags = 0 if self.seed is None else _SEEDED
        head = _HEAD.pack(VERSION, self.offset, self.size, flags, self.seed or 0, self.fingerprint)
        body = head + self.generation.encode()
        return urlsafe_b64encode(body + _checksum(body)).rstrip(b"=").decode()


def read_page(token: str) -> Page:
    """Read what `Page.write` wrote.

    Raises:
        PageTokenError: it is damaged, or of a version that this program does not know.
    """
    try:
        whole = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except ValueError as error:
        raise PageTokenError("expected a next_page_token of this server") from error
    body, checksum = whole[:-_CHECKSUM], whole[-_CHECKSUM:]
    if len(body) <= _HEAD.size or checksum != _checksum(body):
        raise PageTokenError("expected a next_page_token of this server, this one is damaged")
    version, offset, size, flags, seed, fingerprint = _HEAD.unpack_from(body)
    if version != VERSION:
        raise PageTokenError(f"expected a next_page_token of version {VERSION}, got {version}")
    try:
        generation = body[_HEAD.size :].decode()
        page = Page(generation, fingerprint, size, offset, seed if flags & _SEEDED else None)
    except UnicodeDecodeError as error:
        raise PageTokenError("expected a next_page_token of this server") from error
    if page.write() != token:
        raise PageTokenError("expected a next_page_token of this server, as it was given")
    return page


def generation_of(token: str) -> str | None:
    """Tell which generation has to answer a request with this token; None where any may.

    It is for routing before anything else is read: an empty token begins a list, and what is wrong
    with a damaged one is for whoever reads the request to say.
    """
    if not token:
        return None
    try:
        return read_page(token).generation
    except PageTokenError:
        return None


def fingerprint(request: HitsRequest) -> bytes:
    """Hash everything in a request that decides what is in the list, k included."""
    plain: Any = type(request)()  # one of two kinds, whose fields have the same names
    plain.CopyFrom(request)
    plain.ClearField("request_id")
    plain.ClearField("page_token")
    plain.ClearField("page_size")
    if plain.HasField("hit_options"):
        plain.hit_options.ClearField("page_token")
        plain.hit_options.ClearField("page_size")
    content = plain.SerializeToString(deterministic=True)
    return blake2b(content, digest_size=_FINGERPRINT, person=b"nearfield page").digest()


def _checksum(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECKSUM, person=b"nearfield token").digest()
