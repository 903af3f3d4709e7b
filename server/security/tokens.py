"""JSON Web Tokens: who they say calls, believed once the signature, the audience and the time fit.

Checking a signature costs many times what the rest of a call's security does, so a token that was
believed is remembered by its digest until it expires.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from server.security.callers import Caller, Role
from server.security.errors import CredentialsExpiredError, CredentialsInvalidError
from server.security.token_keys import TokenKeys
from server.security.watched import Watched

PREFIX = "jwt:"
MAX_SUBJECT_CHARS = 256
ROLES = frozenset[str](Role)
HOSTILE = (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError)
"""What a token can make PyJWT and json raise: PyJWT's own errors, and Python's for numbers without
end, wrong kinds and deep nesting."""


@dataclass(frozen=True)
class TokenRules:
    """What is asked of every token beside its signature."""

    issuer: str
    """What `iss` has to be."""
    audience: str
    """What `aud` has to be, or have among others."""
    roles_claim: str = "roles"
    """The claim with the roles: a list, or one text with spaces. Roles of other programs in it are
    passed over."""
    leeway_s: float = 30.0
    """Seconds by which clocks may differ. Longer believes a token for longer after its end."""
    remembered: int = 10_000
    """Most tokens that are remembered; the one unused for longest goes first."""


@dataclass(frozen=True)
class _Believed:
    caller: Caller
    until: float
    """Seconds since 1970."""


class Tokens:
    """Believes tokens, or does not. Belongs to one thread."""

    def __init__(
        self, keys: Watched[TokenKeys], rules: TokenRules, clock: Callable[[], float]
    ) -> None:
        self._watched = keys
        self._keys = keys.now()
        self._rules = rules
        self._clock = clock
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()

    def __len__(self) -> int:
        """Count the tokens that are remembered."""
        return len(self._believed)

    def caller(self, token: str) -> Caller:
        """Return whose token it is; `sub` is the name.

        Raises:
            CredentialsInvalidError: not signed by a key of ours, or not for this server.
            CredentialsExpiredError: it is signed by a key of ours, and its time is over.
        """
        keys = self._watched.now()
        if keys is not self._keys:  # tokens of keys that have gone were believed until now
            self._keys = keys
            self._believed.clear()
        digest = hashlib.sha256(token.encode()).digest()
        believed = self._believed.get(digest)
        if believed is None:
            believed = self._check(token)
            self._remember(digest, believed)
        else:
            self._believed.move_to_end(digest)
        if self._clock() >= believed.until:
            self._believed.pop(digest, None)
            raise CredentialsExpiredError("token")
        return believed.caller

    def _remember(self, digest: bytes, believed: _Believed) -> None:
        self._believed[digest] = believed
        if len(self._believed) > self._rules.remembered:
            self._believed.popitem(last=False)

    def _check(self, token: str) -> _Believed:
        rules = self._rules
        try:
            found = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if found is None:
                raise CredentialsInvalidError
            claims = jwt.decode(
                token,
                found.key,
                algorithms=[found.algorithm],
                audience=rules.audience,
                issuer=rules.issuer,
                leeway=rules.leeway_s,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            until = float(claims["exp"]) + rules.leeway_s
        except jwt.ExpiredSignatureError:
            raise CredentialsExpiredError("token") from None
        except HOSTILE:
            raise CredentialsInvalidError from None
        return _Believed(self._caller(claims), until)

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject = claims["sub"]
        if not 0 < len(subject) <= MAX_SUBJECT_CHARS or not subject.isprintable():
            raise CredentialsInvalidError
        told = claims.get(self._rules.roles_claim)
        names = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
        roles = frozenset(Role(name) for name in names if isinstance(name, str) and name in ROLES)
        return Caller(f"{PREFIX}{subject}", roles)
