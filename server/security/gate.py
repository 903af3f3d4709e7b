"""Everything of security that a running server needs, from its settings.

With a gate, a call goes

    caller = gate.authenticator.authenticate(context.invocation_metadata(), context.auth_context)
    check_role(caller, needed)                # needed = role_needed(method), once at registration
    with gate.rates.admit(caller) as account:
        account.charge(elements)
        ...
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc

from server.security.authenticator import (
    Authenticator,
    CertificateBearers,
    Everybody,
    KnownCallers,
    watch_callers,
)
from server.security.caller_table import Sharing
from server.security.exposure import check_exposure
from server.security.rates import Rates
from server.security.settings import SecuritySettings
from server.security.tls import Certificate, TlsFiles
from server.security.token_keys import read_public_keys, read_secret
from server.security.tokens import TokenRules, Tokens
from server.security.watched import Watched


@dataclass(frozen=True)
class Clocks:
    """What tells the time."""

    wall: Callable[[], float] = time.time
    """Seconds since 1970, for what expires at a date."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since some moment, never back, for what takes a while."""


@dataclass(frozen=True)
class Gate:
    """What stands between the wire and the services, in one process."""

    authenticator: Authenticator
    """Tells who calls."""
    rates: Rates
    """Holds callers to their limits."""
    certificate: Certificate | None
    """The server's certificate; None where connections are not protected."""

    def listen(self, server: grpc.aio.Server, address: str) -> int:
        """Let a server listen on an address, by TLS where there is a certificate; gives the port.

        Raises:
            RuntimeError: as `add_secure_port` and `add_insecure_port` do.
        """
        if self.certificate is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, self.certificate.credentials())


def open_gate(
    settings: SecuritySettings,
    host: str,
    *,
    sharing: Sharing | None = None,
    clocks: Clocks | None = None,
) -> Gate:
    """Read every file that the settings name.

    Each worker process opens a gate of its own; `sharing` lets them count callers together.

    Raises:
        ExposedError: `host` would let in more people than was asked for.
        CallersFileError, TokenKeysError, CertificateError: a file cannot be used.
    """
    check_exposure(host, settings)
    clocks = clocks or Clocks()
    rates = Rates(
        settings.limits,
        sharing=sharing,
        remembered=settings.remembered_callers,
        clock=clocks.monotonic,
    )
    authenticator = _authenticator(settings, clocks)
    if settings.tls_client_ca is not None:
        authenticator = CertificateBearers(authenticator, clocks.wall)
    return Gate(authenticator, rates, _certificate(settings, clocks))


def _authenticator(settings: SecuritySettings, clocks: Clocks) -> Authenticator:
    if settings.authentication == "off":
        return Everybody()
    known = None
    if settings.callers_file is not None:
        known = watch_callers(settings.callers_file, wall=clocks.wall, monotonic=clocks.monotonic)
    return KnownCallers(known, _tokens(settings, clocks))


def _tokens(settings: SecuritySettings, clocks: Clocks) -> Tokens | None:
    if settings.jwt_keys_file is not None:
        keys = Watched(settings.jwt_keys_file, read_public_keys, clocks.monotonic)
    elif settings.jwt_secret_file is not None:
        keys = Watched(settings.jwt_secret_file, read_secret, clocks.monotonic)
    else:
        return None
    rules = TokenRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        roles_claim=settings.jwt_roles_claim,
        leeway_s=settings.jwt_leeway_s,
        remembered=settings.jwt_remembered,
    )
    return Tokens(keys, rules, clocks.wall)


def _certificate(settings: SecuritySettings, clocks: Clocks) -> Certificate | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    files = TlsFiles(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    return Certificate(files, clocks.wall)
