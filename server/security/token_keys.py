"""The keys that tokens are checked with: a PEM or JWKS file of public keys, or a file of a secret.

The algorithm is the key's, never the token's: a key checks RS256, ES256 or EdDSA by what it is, and
HS256 where the settings name a file of a secret. What a token says of itself can only fail to fit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from server.security.errors import TokenKeysError
from server.security.watched import read_file

LEAST_RSA_BITS = 2048
LEAST_SECRET_BYTES = 32
"""HMAC with SHA-256 wants a key of the digest's length. Source: RFC 7518, section 3.2."""

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


@dataclass(frozen=True)
class TokenKey:
    """A key and the one algorithm that it checks."""

    algorithm: str
    """As a token's header spells it."""
    key: PublicKey | bytes = field(repr=False)
    """A public key, or the bytes of a secret."""


@dataclass(frozen=True)
class TokenKeys:
    """The keys of one reading of a file."""

    by_id: Mapping[str, TokenKey]
    """The keys that have an id, which tokens name in `kid`."""
    only: TokenKey | None
    """The key, where there is one: it checks tokens that name none, too."""

    def find(self, key_id: object) -> TokenKey | None:
        """Return the key that a token names, or the only one for a token that names none."""
        if key_id is None or not self.by_id:
            return self.only
        return self.by_id.get(key_id) if isinstance(key_id, str) else None


def read_public_keys(path: Path) -> TokenKeys:
    """Read a PEM file with one public key, or a JWKS file with any number.

    Keys of a JWKS that are not for signatures, or of other algorithms, are passed over.

    Raises:
        TokenKeysError: it cannot be read, holds no key that fits, or a private one.
    """
    content = read_file(path, TokenKeysError)
    if content.lstrip().startswith(b"{"):
        return _from_jwks(path, content)
    if content.count(b"-----BEGIN ") != 1:
        raise TokenKeysError(path, "expected one PUBLIC KEY in PEM, or a JWKS for more")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm):
        raise TokenKeysError(path, "expected a PUBLIC KEY in PEM, or a JWKS") from None
    return TokenKeys({}, _fitting(path, key))


def read_secret(path: Path) -> TokenKeys:
    """Read a secret for HS256: the bytes of the file, white space around them left out.

    Raises:
        TokenKeysError: it cannot be read, or is too short.
    """
    secret = read_file(path, TokenKeysError).strip()
    if len(secret) < LEAST_SECRET_BYTES:
        text = f"expected a secret of at least {LEAST_SECRET_BYTES} bytes, got {len(secret)}"
        raise TokenKeysError(path, text)
    return TokenKeys({}, TokenKey("HS256", secret))


def _from_jwks(path: Path, content: bytes) -> TokenKeys:
    try:
        told = json.loads(content)["keys"]
        entries = [each for each in told if each.get("use", "sig") == "sig"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise TokenKeysError(path, 'expected a JWKS: {"keys": [...]}') from None
    found = [(each.get("kid"), key) for each in entries if (key := _from_jwk(path, each))]
    if not found:
        raise TokenKeysError(path, "expected a key for RS256, ES256 or EdDSA; the JWKS has none")
    if len(found) > 1 and not all(isinstance(key_id, str) for key_id, _ in found):
        raise TokenKeysError(path, "expected a kid for every key, because there are several")
    by_id = {key_id: key for key_id, key in found if isinstance(key_id, str)}
    if len(by_id) < len(found) and by_id:
        raise TokenKeysError(path, "expected every kid once")
    return TokenKeys(by_id, found[0][1] if len(found) == 1 else None)


def _from_jwk(path: Path, entry: dict[str, object]) -> TokenKey | None:
    try:
        read = PyJWK(entry)
    except PyJWTError:
        return None
    if read.algorithm_name not in ("RS256", "ES256", "EdDSA"):
        return None
    return _fitting(path, read.key)


def _fitting(path: Path, key: object) -> TokenKey:
    """Choose the algorithm of a key."""
    match key:
        case RSAPublicKey() if key.key_size >= LEAST_RSA_BITS:
            return TokenKey("RS256", key)
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            return TokenKey("ES256", key)
        case Ed25519PublicKey():
            return TokenKey("EdDSA", key)
    text = f"expected public keys: RSA of {LEAST_RSA_BITS} bits or more, P-256 or Ed25519"
    raise TokenKeysError(path, text)
