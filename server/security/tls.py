"""TLS for the server: a certificate, its key and the clients' authority, replaced while it runs.

gRPC asks for the files' content before every new connection, from a thread of its own. What changed
on disk holds for the connections made from then on; those that exist go on as they were made.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from server.security.errors import CertificateError
from server.security.watched import Signature, read_file, signature

log = logging.getLogger(__name__)

WARN_BEFORE = timedelta(days=14)
WARN_EVERY = timedelta(days=1)
READ_AGAIN = timedelta(minutes=1)
NEVER = datetime.min.replace(tzinfo=UTC)
LEAST_RSA_BITS = 2048
TAKEN = f"expected a key of RSA with {LEAST_RSA_BITS} bits or more, of P-256 or of P-384"


@dataclass(frozen=True)
class TlsFiles:
    """Where the server's identity is, all in PEM."""

    cert: Path
    """The server's certificate, and after it those between it and the root."""
    key: Path
    """The certificate's private key, without a password."""
    client_ca: Path | None
    """The authorities whose clients may connect; None where clients show no certificate."""


@dataclass(frozen=True)
class Identity:
    """One whole reading of the files."""

    chain: bytes = field(repr=False)
    """The certificates."""
    key: bytes = field(repr=False)
    """The private key."""
    client_ca: bytes | None = field(repr=False)
    """The clients' authorities."""
    not_after: datetime
    """When the server's certificate ends."""

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Write it as gRPC takes it."""
        return grpc.ssl_server_certificate_configuration([(self.key, self.chain)], self.client_ca)


def read_identity(files: TlsFiles, now: datetime) -> Identity:
    """Read the files and check that they belong together and hold now.

    Raises:
        CertificateError: one cannot be read or is none, the key is another certificate's or of a
            kind that no client of gRPC takes, or the certificate does not hold now.
    """
    chain, key = _bytes(files.cert), _bytes(files.key)
    leaf = _certificates(files.cert, chain)[0]
    private = _private_key(files.key, key)
    if private.public_key() != leaf.public_key():
        raise CertificateError(files.key, f"expected the key of {files.cert}, got another one")
    if not _is_taken(private):
        raise CertificateError(files.key, TAKEN)
    begins, ends = leaf.not_valid_before_utc, leaf.not_valid_after_utc
    if not begins <= now < ends:
        raise CertificateError(
            files.cert, f"expected a certificate that holds now, got one of {begins} to {ends}"
        )
    client_ca = None
    if files.client_ca is not None:
        client_ca = _bytes(files.client_ca)
        _certificates(files.client_ca, client_ca)
    return Identity(chain, key, client_ca, ends)


class Certificate:
    """The server's certificate as it is on disk now.

    Files that are broken, do not hold now or do not belong together yet change nothing: the log
    tells it, and they are read again as soon as one changes, and every minute, since a certificate
    may begin to hold. Safe to use from several threads.

    Raises:
        CertificateError: the files cannot be used at the start.
    """

    def __init__(self, files: TlsFiles, clock: Callable[[], float] = time.time) -> None:
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._signatures = self._look()
        self.identity = read_identity(files, self._now())
        """What connections are made with now."""
        self._refused = NEVER
        self._warned = NEVER
        self._warn_of_the_end()

    def credentials(self) -> grpc.ServerCredentials:
        """Give gRPC the certificate, and where to ask for a newer one.

        Clients have to show a certificate where there is an authority for them: gRPC for Python
        cannot ask for one and do without.
        """
        newer: Any = self.newer  # may give None, which the stubs do not say
        return grpc.dynamic_ssl_server_credentials(
            self.identity.configuration(), newer, self._files.client_ca is not None
        )

    def newer(self) -> grpc.ServerCertificateConfiguration | None:
        """Read the files again where they have changed; None where there is nothing new."""
        with self._lock:
            self._warn_of_the_end()
            found, now = self._look(), self._now()
            again = self._refused != NEVER and now - self._refused >= READ_AGAIN
            if found == self._signatures and not again:
                return None
            self._signatures, self._refused = found, NEVER
            try:
                self.identity = read_identity(self._files, now)
            except CertificateError as error:
                self._refused = now
                log.error("%s; the certificate of before serves on", error)
                return None
            self._warned = NEVER
            log.info("%s: serves from now on, until %s", self._files.cert, self.identity.not_after)
            self._warn_of_the_end()
            return self.identity.configuration()

    def _warn_of_the_end(self) -> None:
        now, ends = self._now(), self.identity.not_after
        if ends - now < WARN_BEFORE and now - self._warned >= WARN_EVERY:
            self._warned = now
            log.warning(
                "%s: the certificate ends at %s; put a newer one there", self._files.cert, ends
            )

    def _look(self) -> tuple[Signature | None, ...]:
        files = (self._files.cert, self._files.key, self._files.client_ca)
        return tuple(signature(each) for each in files if each is not None)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _is_taken(key: PrivateKeyTypes) -> bool:
    """Tell whether clients of gRPC take a server's key; others would fail at every handshake."""
    match key:
        case RSAPrivateKey():
            return key.key_size >= LEAST_RSA_BITS
        case EllipticCurvePrivateKey():
            return isinstance(key.curve, SECP256R1 | SECP384R1)
    return False


def _bytes(path: Path) -> bytes:
    return read_file(path, CertificateError)


def _certificates(path: Path, content: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError:
        raise CertificateError(path, "expected certificates in PEM") from None


def _private_key(path: Path, content: bytes) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise CertificateError(path, "expected a private key in PEM, without a password") from None
