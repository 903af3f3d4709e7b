"""API keys: made here, kept as digests, told apart in constant time.

A key is `nf_<id>_<secret>`. The id finds the line, so that one digest is compared, not all. The
secret is 256 bits from the system's generator, so a plain SHA-256 keeps it: slow hashes with a salt
protect passwords, which people choose and others guess. Nobody guesses 256 bits, however fast the
hash, and no table of digests can be made beforehand. It also has to be fast, since every call pays
for it.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from server.security.callers import Caller
from server.security.callers_file import KeyLine, Line
from server.security.errors import CredentialsExpiredError, CredentialsInvalidError

PREFIX = "nf_"
ID_CHARS = 10
SECRET_BYTES = 32
ID = slice(len(PREFIX), len(PREFIX) + ID_CHARS)
NOBODY = ("0" * 64, None, 0.0)
"""Compared where the id is nobody's, so that it takes as long as where it is somebody's."""


@dataclass(frozen=True)
class NewKey:
    """A key that was just made; the only time that anybody sees it."""

    id: str
    """The part that is no secret."""
    key: str = field(repr=False)
    """The whole key, for its owner."""
    sha256: str
    """Its digest, for the file."""


def make_key() -> NewKey:
    """Make a key of letters and digits that a double click selects as one word."""
    name = _letters(16)[:ID_CHARS]
    key = f"{PREFIX}{name}_{_letters(SECRET_BYTES)}"
    return NewKey(name, key, digest(key))


def digest(key: str) -> str:
    """Return the SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


class ApiKeys:
    """The keys of one reading of the file."""

    def __init__(self, lines: tuple[Line, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, tuple[str, Caller | None, float]] = {
            line.id: (line.sha256, line.caller(), line.ends())
            for line in lines
            if isinstance(line, KeyLine) and line.revoked is None
        }

    def caller(self, key: str) -> Caller:
        """Return whose key it is.

        Raises:
            CredentialsInvalidError: nobody's, or it was revoked.
            CredentialsExpiredError: it was somebody's.
        """
        sha256, caller, ends = self._known.get(key[ID], NOBODY)
        same = hmac.compare_digest(digest(key), sha256)
        if caller is None or not same:
            raise CredentialsInvalidError
        if self._clock() >= ends:
            raise CredentialsExpiredError("API key")
        return caller


def _letters(count: int) -> str:
    """Write random bytes in base32, small: a-z and 2-7."""
    return base64.b32encode(secrets.token_bytes(count)).decode().rstrip("=").lower()
