"""Client certificates: whether one holds now, and which of its names is a caller's."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from cryptography import x509

from server.security.callers import Caller
from server.security.callers_file import CertificateLine, Line
from server.security.errors import (
    CredentialsExpiredError,
    CredentialsInvalidError,
    CredentialsMissingError,
)

Peer = Mapping[str, Iterable[bytes]]
"""What gRPC knows of the other side of a connection, as `ServicerContext.auth_context` gives it."""

NAMES = (("peer_uri", "uri:"), ("peer_dns", "dns:"))
"""Subject alternative names by kind. A DNS name is never taken for a URI or an address of mail, so
whoever may be certified as the one is not let in as the other."""
COMMON_NAME = ("x509_common_name", "cn:")
PEM = "x509_pem_cert"
REMEMBERED = 10_000
"""Certificates whose time is remembered, at about 2 kB each."""


class Certificates:
    """The certificates of one reading of the file of callers.

    That a certificate is signed by the clients' authority was checked by TLS when the connection
    was made; who it is is looked up for every call.
    """

    def __init__(self, lines: tuple[Line, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known = {
            line.id: (line.caller(), line.ends())
            for line in lines
            if isinstance(line, CertificateLine) and line.revoked is None
        }

    def __bool__(self) -> bool:
        """Tell whether the file lets any certificate in."""
        return bool(self._known)

    def caller(self, peer: Peer) -> Caller | None:
        """Return whose certificate it is by the first name that the file knows, or None.

        URIs come before DNS names. The common name counts where the certificate has neither, as
        RFC 6125 has it.

        Raises:
            CredentialsExpiredError: the file let it in until lately.
        """
        for name in _names(peer):
            if known := self._known.get(name):
                caller, ends = known
                if self._clock() >= ends:
                    raise CredentialsExpiredError("certificate's entry")
                return caller
        return None


class _Time(NamedTuple):
    begins: float
    ends: float


class CertificateTimes:
    """Holds client certificates to their own time, call by call.

    TLS looks at it in a full handshake alone: a connection outlives its certificate, and a session
    that is resumed by a ticket, for up to two days, is not asked for it again. The certificate of
    the client itself is looked at, not those between it and the root. Belongs to one thread.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: dict[bytes, _Time] = {}

    def check(self, peer: Peer) -> None:
        """Refuse the other side of a connection whose certificate does not hold now.

        Raises:
            CredentialsExpiredError: its time is over.
            CredentialsInvalidError: its time has not come.
            CredentialsMissingError: there is none.
        """
        pem = next(iter(peer.get(PEM, ())), None)
        if pem is None:
            raise CredentialsMissingError
        time = self._times.get(pem) or self._remember(pem)
        now = self._clock()
        if now > time.ends:
            raise CredentialsExpiredError("client certificate")
        if now < time.begins:
            raise CredentialsInvalidError("the client certificate does not hold yet")

    def _remember(self, pem: bytes) -> _Time:
        try:
            certificate = x509.load_pem_x509_certificate(pem)
        except ValueError:  # TLS took it, and we cannot read it
            raise CredentialsInvalidError from None
        begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if len(self._times) >= REMEMBERED:
            self._times.pop(next(iter(self._times)))
        time = self._times[pem] = _Time(begins.timestamp(), ends.timestamp())
        return time


def _names(peer: Peer) -> Iterator[str]:
    kinds = NAMES if any(key in peer for key, _ in NAMES) else (COMMON_NAME,)
    for key, prefix in kinds:
        for value in peer.get(key, ()):
            yield prefix + value.decode("utf-8", errors="replace")
