"""Client certificates: which of a certificate's names is a caller's."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from server.security.callers import Caller
from server.security.callers_file import CertificateLine, Line
from server.security.errors import CredentialsExpiredError

Peer = Mapping[str, Iterable[bytes]]
"""What gRPC knows of the other side of a connection, as `ServicerContext.auth_context` gives it."""

NAMES = (("peer_uri", "uri:"), ("peer_dns", "dns:"))
"""Subject alternative names by kind. A DNS name is never taken for a URI or an address of mail, so
whoever may be certified as the one is not let in as the other."""
COMMON_NAME = ("x509_common_name", "cn:")


class Certificates:
    """The certificates of one reading of the file of callers.

    That a certificate is signed by the clients' authority and holds now was checked by TLS when the
    connection was made; who it is is looked up for every call.
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


def _names(peer: Peer) -> Iterator[str]:
    kinds = NAMES if any(key in peer for key, _ in NAMES) else (COMMON_NAME,)
    for key, prefix in kinds:
        for value in peer.get(key, ()):
            yield prefix + value.decode("utf-8", errors="replace")
