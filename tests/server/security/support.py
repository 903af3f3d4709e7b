"""Authorities and certificates, tokens, callers, and clocks that stand still."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID
from hypothesis import HealthCheck, settings

from server.security.api_keys import NewKey, make_key
from server.security.callers import UNLIMITED, CallerLimits, Role
from server.security.callers_file import KeyLine, Line, edit_lines
from server.security.token_keys import PublicKey

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""For properties: the machine may be busy, and fixtures that are made once do no harm."""

NOW = datetime.now(UTC).replace(microsecond=0)  # certificates know no less than a second
ISSUER, AUDIENCE = "https://issuer.example", "nearfield"
LOCALHOST = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class Clock:
    """Time that goes on when it is told to."""

    def __init__(self, now: float = 0.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Tell it."""
        return self.now


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, in PEM."""

    chain: bytes
    key: bytes


class Authority:
    """Signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        built = _begin(self._name, self._name, self._key.public_key(), NOW + timedelta(days=30))
        built = built.add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        self.pem = built.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def issue(
        self,
        name: str = "server",
        names: tuple[x509.GeneralName, ...] = LOCALHOST,
        *,
        begins: datetime = NOW - timedelta(days=60),
        until: datetime = NOW + timedelta(days=30),
        key: PrivateKey | None = None,
    ) -> Pair:
        """Sign a certificate with these names."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        built = _begin(_name(name), self._name, key.public_key(), until, begins)
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(names), False)
        certificate = built.sign(self._key, hashes.SHA256())
        return Pair(certificate.public_bytes(Encoding.PEM), private_pem(key))


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: PublicKey,
    until: datetime,
    begins: datetime = NOW - timedelta(days=60),
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(until)
    )


def private_pem(key: PrivateKey) -> bytes:
    """Write a private key."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: PrivateKey) -> bytes:
    """Write its public half."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def put(path: Path, content: bytes) -> Path:
    """Replace a file at once, as whoever rotates it should."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    return beside.replace(path)


def make_token(
    key: PrivateKey | bytes | str, algorithm: str, kid: str | None = None, /, **changes: object
) -> str:
    """Sign a token that the tests' rules like, but for the changes; None leaves a claim out."""
    claims: dict[str, object] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "ada",
        "exp": datetime.now(UTC) + timedelta(hours=1),
        "roles": ["inference"],
        **changes,
    }
    told = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(told, key, algorithm, headers={} if kid is None else {"kid": kid})


def key_line(made: NewKey, name: str = "shop", **changes: object) -> KeyLine:
    """Write the line of a key."""
    told: dict[str, object] = {
        "id": made.id,
        "sha256": made.sha256,
        "name": name,
        "roles": ["inference"],
        "created": NOW,
        **changes,
    }
    return KeyLine.model_validate(told)


def add_key(
    path: Path,
    name: str = "shop",
    roles: tuple[Role, ...] = (Role.INFERENCE,),
    limits: CallerLimits = UNLIMITED,
) -> str:
    """Let a caller in by a new key, and return it."""
    made = make_key()
    line: Line = key_line(made, name, roles=roles, limits=limits)
    edit_lines(path, lambda lines: (*lines, line))
    return made.key
