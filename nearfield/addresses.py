"""From what a caller names to addresses, one for each server."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from nearfield.errors import ArgumentError

PORT = 50051
"""Where a server listens unless it is told otherwise; meant by an address without a port."""

HOSTS = ("dns:", "ipv4:", "ipv6:")
"""How a gRPC target begins that goes on with hosts and ports."""
PASSED_ON = ("passthrough:", "unix:", "unix-abstract:", "vsock:", "xds:")
"""How others begin, which go to gRPC as they are."""
ON_THIS_MACHINE = ("unix:", "unix-abstract:")


def addresses_of(target: str | Sequence[str], port: int = PORT) -> tuple[str, ...]:
    """Give the addresses that a target names: one, several with commas between, or a list.

    A target with a scheme of gRPC's is one address, commas and all. Where one has no port, `port`
    is put in.

    Raises:
        ArgumentError: there is none, one that is no address, or the same one twice.
    """
    if isinstance(target, str):
        named = [target] if target.startswith(HOSTS + PASSED_ON) else target.split(",")
    else:
        named = list(target)
    addresses = tuple(_with_port(each.strip(), port) for each in named)
    if not addresses:
        raise ArgumentError("target: expected at least one address, got none")
    if len(set(addresses)) < len(addresses):
        raise ArgumentError(f"target: expected each address once, got {', '.join(addresses)}")
    return addresses


def hosts_of(address: str) -> list[str]:
    """Give the names and IP addresses in an address; none where its scheme has something else."""
    if address.startswith(PASSED_ON):
        return []
    return [_split(each)[0] for each in _taken_apart(address)[1]]


def stays_here(address: str) -> bool:
    """Tell whether what is sent to an address cannot leave this machine."""
    hosts = hosts_of(address)
    loopback = bool(hosts) and all(_is_loopback(each) for each in hosts)
    return loopback or address.startswith(ON_THIS_MACHINE)


def _with_port(address: str, port: int) -> str:
    if address.startswith(PASSED_ON):
        return address
    before, parts = _taken_apart(address)
    return before + ",".join(_checked(each, port, before) for each in parts)


def _taken_apart(address: str) -> tuple[str, list[str]]:
    """Take what comes before the hosts, a scheme and perhaps a name server, from the hosts."""
    scheme = next((each for each in HOSTS if address.startswith(each)), "")
    if not scheme:
        return "", [address]
    server, slash, hosts = address[len(scheme) :].rpartition("/")
    return f"{scheme}{server}{slash}", hosts.split(",")


def _checked(part: str, usual_port: int, before: str) -> str:
    """Write a host and its port as gRPC reads them.

    Raises:
        ArgumentError: it is neither HOST nor HOST:PORT, or the scheme expects another kind of host.
    """
    host, port = _split(part)
    if not host or any(mark in host for mark in "/@ []"):
        raise ArgumentError(f"target: expected HOST or HOST:PORT, got {part!r}")
    if port is not None and not (port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ArgumentError(f"target: expected a port from 1 to 65535, got {part!r}")
    for scheme, kind in (("ipv4:", IPv4Address), ("ipv6:", IPv6Address)):
        if before.startswith(scheme) and not _is_ip(host, kind):
            raise ArgumentError(
                f"target: expected an IP address after {scheme}, got {part!r}; "
                f"a name goes without {scheme}"
            )
    if ":" in host and not _is_ip(host, IPv6Address):
        raise ArgumentError(f"target: expected HOST or HOST:PORT, got {part!r}")
    return f"{f'[{host}]' if ':' in host else host}:{usual_port if port is None else port}"


def _split(part: str) -> tuple[str, str | None]:
    """Take a host from its port, which an IPv6 address without brackets does not have."""
    if part.startswith("["):
        host, bracket, rest = part[1:].partition("]")
        if not bracket or rest[:1] not in ("", ":"):
            return part, None
        return host, rest[1:] if rest else None
    if part.count(":") != 1:
        return part, None
    host, _, port = part.partition(":")
    return host, port


def _is_ip(host: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        return isinstance(ip_address(host), kind)
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
