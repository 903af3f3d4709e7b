"""From what a caller names to addresses, one for each server."""

from collections.abc import Sequence
from ipaddress import ip_address

from nearfield.errors import ArgumentError

SCHEMES = ("dns:", "ipv4:", "ipv6:", "passthrough:", "unix:", "unix-abstract:", "vsock:", "xds:")
"""How a gRPC target begins that is more than a host and a port; its commas are its own."""


def addresses_of(target: str | Sequence[str]) -> tuple[str, ...]:
    """Give the addresses that a target names: one, several with commas between, or a list.

    A target with a scheme of gRPC's is one address, commas and all.

    Raises:
        ArgumentError: there is none, an empty one, or the same one twice.
    """
    if isinstance(target, str):
        named = [target] if target.startswith(SCHEMES) else target.split(",")
    else:
        named = list(target)
    addresses = tuple(each.strip() for each in named)
    if not addresses or not all(addresses):
        raise ArgumentError(f"target: expected at least one address and no empty one, got {target}")
    if len(set(addresses)) < len(addresses):
        raise ArgumentError(f"target: expected each address once, got {', '.join(addresses)}")
    return addresses


def stays_here(address: str) -> bool:
    """Tell whether what is sent to an address cannot leave this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    scheme = next((each for each in SCHEMES if address.startswith(each)), "")
    if scheme not in ("", "dns:", "ipv4:", "ipv6:"):
        return False
    hosts = [_host(each) for each in address[len(scheme) :].rpartition("/")[2].split(",")]
    return all(_is_loopback(host) for host in hosts)


def _host(address: str) -> str:
    """Leave out the port, which an IPv6 address without brackets does not have."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
