"""Whom an address lets in: nobody by oversight."""

from ipaddress import IPv6Address, ip_address

from server.addresses import is_unix
from server.security.errors import ExposedError
from server.security.settings import WAYS_IN, SecuritySettings

NO_WAY_IN = (
    "authentication is required and nobody could pass it: give --security.callers-file (python -m "
    "server.security.keys makes one), --security.jwt-keys-file or --security.jwt-secret-file; or, "
    "to let in everybody who reaches the port, --security.authentication off"
)
ALL_THE_SAME = "or insist on it with --security.insecure-allowed"


def check_exposure(host: str, settings: SecuritySettings) -> None:
    """Refuse an address that lets in more people, or tells more of them, than was asked for.

    Raises:
        ExposedError: nobody could call; or `host` is no loopback address, there is no TLS or no
            authentication, and nobody insisted. The message says what to set.
    """
    off = settings.authentication == "off"
    if not off and all(getattr(settings, way) is None for way in WAYS_IN):
        raise ExposedError(NO_WAY_IN)
    if settings.insecure_allowed or is_loopback(host):
        return
    if off:
        raise ExposedError(
            f"--host {host} is reached from other machines and authentication is off: take "
            f"--host 127.0.0.1, give callers (--security.callers-file), {ALL_THE_SAME}"
        )
    if settings.tls_cert is None:
        raise ExposedError(
            f"--host {host} is reached from other machines and keys would cross the network in the "
            f"clear: give --security.tls-cert and --security.tls-key, {ALL_THE_SAME}"
        )


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone; a name but localhost is not."""
    if host == "localhost" or is_unix(host):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
