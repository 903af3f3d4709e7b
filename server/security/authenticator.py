"""From what came with a call to its caller."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

from server.security import api_keys
from server.security.api_keys import ApiKeys
from server.security.callers import ANYBODY, Caller
from server.security.callers_file import Line, read_lines
from server.security.certificates import Certificates, CertificateTimes, Peer
from server.security.errors import CredentialsInvalidError, CredentialsMissingError
from server.security.tokens import Tokens
from server.security.watched import Watched

Metadata = Iterable[tuple[str, str | bytes]]
"""As `ServicerContext.invocation_metadata` gives it: keys are lower case."""

AUTHORIZATION = "authorization"
CREDENTIALS = frozenset((AUTHORIZATION, "x-api-key"))
SCHEME = "bearer "


class Authenticator(Protocol):
    """Tells who calls."""

    def authenticate(self, metadata: Metadata | None, peer: Callable[[], Peer]) -> Caller:
        """Return whose call it is.

        `peer` is asked only where it counts, since gRPC takes a while to tell:
        `authenticate(context.invocation_metadata(), context.auth_context)`.

        Raises:
            UnauthenticatedError: nobody's that the server knows.
        """
        ...


class Everybody:
    """Authentication that is off: everybody is the same caller and may do everything."""

    def authenticate(self, metadata: Metadata | None, peer: Callable[[], Peer]) -> Caller:
        """Return the one caller that there is; see `Authenticator`."""
        return ANYBODY


class Known:
    """The callers of one reading of the file."""

    def __init__(self, lines: tuple[Line, ...], clock: Callable[[], float]) -> None:
        self.keys = ApiKeys(lines, clock)
        self.certificates = Certificates(lines, clock)


class KnownCallers:
    """Believes API keys, tokens and certificates, whichever the server was given.

    A key or a token in the metadata speaks before a certificate, which may be a proxy's. One call
    has one of them: with two it could mean one caller here and another to a proxy on the way.
    Belongs to one thread.
    """

    def __init__(self, known: Watched[Known] | None, tokens: Tokens | None) -> None:
        self._known = known
        self._tokens = tokens

    def authenticate(self, metadata: Metadata | None, peer: Callable[[], Peer]) -> Caller:
        """Return whose call it is; see `Authenticator`."""
        credential = _credential(metadata or ())
        known = None if self._known is None else self._known.now()
        if credential is None:
            caller = known.certificates.caller(peer()) if known and known.certificates else None
            if caller is None:
                raise CredentialsMissingError
            return caller
        if credential.startswith(api_keys.PREFIX):
            if known is None:
                raise CredentialsInvalidError
            return known.keys.caller(credential)
        if self._tokens is None:
            raise CredentialsInvalidError
        return self._tokens.caller(credential)


class CertificateBearers:
    """Lets in whoever another authenticator does, over a certificate that holds now.

    Also where a key or a token tells who calls: a server that wants certificates was told to
    believe no connection without a good one.
    """

    def __init__(self, inner: Authenticator, clock: Callable[[], float]) -> None:
        self._inner = inner
        self._times = CertificateTimes(clock)

    def authenticate(self, metadata: Metadata | None, peer: Callable[[], Peer]) -> Caller:
        """Return whose call it is; see `Authenticator`."""
        known = peer()
        self._times.check(known)
        return self._inner.authenticate(metadata, lambda: known)


def watch_callers(
    path: Path, *, wall: Callable[[], float], monotonic: Callable[[], float]
) -> Watched[Known]:
    """Follow a file of callers.

    Raises:
        CallersFileError: it cannot be used as it is.
    """
    return Watched(path, lambda file: Known(read_lines(file), wall), monotonic)


def _credential(metadata: Metadata) -> str | None:
    """Find the key or token of a call, and hold it to the form that both have.

    Raises:
        CredentialsInvalidError: another scheme than Bearer, more than one, or no ASCII.
    """
    found: str | None = None
    for key, value in metadata:
        if key in CREDENTIALS:
            if found is not None:
                raise CredentialsInvalidError("expected one key or token, got several")
            if isinstance(value, bytes) or not value.isascii():
                raise CredentialsInvalidError
            found = value
            if key == AUTHORIZATION:
                if value[: len(SCHEME)].lower() != SCHEME:
                    raise CredentialsInvalidError("expected the scheme Bearer in authorization")
                found = value[len(SCHEME) :]
    return found
