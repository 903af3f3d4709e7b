"""Take secrets out of what goes to the log.

Nothing here logs a secret on purpose. This is for what is logged by mistake: metadata as a whole, a
setting, an error of a library with a header in its text.
"""

import re
from collections.abc import Mapping, MutableMapping, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
DEEPEST = 8
"""Containers in containers that are looked into; what is deeper is not shown at all."""

_SECRET = r"authorization|api[_-]?key|password|passwd|passphrase|secret|credential|cookie"
_NAMES = re.compile(
    rf"{_SECRET}|private[_-]?key|(?:^|[_.-])(?:keys?|tokens?|jwt|bearer)$", re.IGNORECASE
)
"""Names whose values are secrets, whatever these look like; `page_token` is among them."""


@dataclass(frozen=True)
class _Kind:
    """One kind of secret in a text."""

    hint: str
    """What is in every text with such a secret, as a pattern for small letters: looked for first,
    it makes most log lines cost microseconds instead of hundreds of them."""
    pattern: re.Pattern[str]
    replacement: str


_KINDS = (
    # An API key. Its id stays: it is no secret and tells whose key it was.
    _Kind("nf_", re.compile(r"(nf_[a-z0-9]{10})_[\w-]+", re.IGNORECASE), rf"\1_{REDACTED}"),
    # A JSON Web Token: base64 of '{"' begins with ey.
    _Kind("ey", re.compile(r"\bey[\w-]{8,}\.[\w-]+\.[\w-]*"), REDACTED),
    _Kind(
        "bearer",
        re.compile(r"\b(bearer)(\s+|%20)[^\s\"',;]{8,}", re.IGNORECASE),
        rf"\1 {REDACTED}",
    ),
    # name=value and "name": "value".
    _Kind(
        "authorization|api|passw|passphrase|secret|credential|cookie|token",
        re.compile(
            rf"((?:{_SECRET}|token)s?[\"']?\s*[=:]\s*[\"']?)(?!bearer\b|\[)[^\s\"',;&]+",
            re.IGNORECASE,
        ),
        rf"\1{REDACTED}",
    ),
    # https://name:password@host
    _Kind("://", re.compile(r"(://[^/\s:@]*):[^/\s@]+@"), rf"\1:{REDACTED}@"),
    _Kind(
        "private key-----",
        re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL),
        REDACTED,
    ),
)
_HINTS = re.compile("|".join(kind.hint for kind in _KINDS))


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace the secrets in an event by `[redacted]`; a processor of structlog.

    Belongs right before the renderer, after `format_exc_info`, so that tracebacks are text by then.
    """
    return {_seen(name)[0]: _named(name, value, 0) for name, value in event.items()}


def redact_text(text: str) -> str:
    """Replace the secrets in a text: keys, tokens, passwords by name, private keys."""
    if _HINTS.search(text.lower()) is None:
        return text
    for kind in _KINDS:
        text = kind.pattern.sub(kind.replacement, text)
    return text


@lru_cache(maxsize=4096)
def _seen(name: str) -> tuple[str, bool]:
    """Return how a name is written, and whether it is a secret's. Names come again and again."""
    return redact_text(name), _NAMES.search(name) is not None


def _named(name: object, value: object, depth: int) -> object:
    """Redact a value that has a name. Numbers and truth values are no secrets."""
    if isinstance(value, int | float | None):
        return value
    if isinstance(name, bytes):
        name = name.decode("latin-1")
    if isinstance(name, str) and _seen(name)[1]:
        return REDACTED
    return _value(value, depth)


def _value(value: object, depth: int) -> object:
    match value:
        case None | int() | float():
            return value
        case str():
            return redact_text(value)
        case Mapping() | list() | tuple() | Set() if depth >= DEEPEST:
            return REDACTED
        case Mapping():
            return {_name(key): _named(key, each, depth + 1) for key, each in value.items()}
        case (str() | bytes() as name, each):  # a pair, as metadata has them
            return [_value(name, depth), _named(name, each, depth + 1)]
        case list() | tuple() | Set():
            return [_value(each, depth + 1) for each in value]
    return _whole(value)


def _name(name: object) -> object:
    return _seen(name)[0] if isinstance(name, str) else _whole(name)


def _whole(value: object) -> object:
    """Redact what a renderer can only write as a text; it stays as it is where that is harmless."""
    text = value.decode("latin-1") if isinstance(value, bytes) else f"{value!r} {value!s}"
    return value if redact_text(text) == text else redact_text(repr(value))
