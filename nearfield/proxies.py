"""Which proxy of the environment stands on the way to an address: none on this machine.

gRPC asks the environment by itself and would send even what is meant for this machine to a proxy.
The rules here are gRPC's elsewhere, so that an error can tell of the proxy.

Source: gRPC's src/core/handshaker/http_connect/http_proxy_mapper.cc.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from nearfield.addresses import hosts_of, stays_here

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
"""Variables that name a proxy. The first that is there counts; empty, it means none."""
SPARED = ("no_grpc_proxy", "no_proxy")
"""Variables that name hosts, domains and networks which are reached without. Likewise."""


def proxy_of(address: str, environment: Mapping[str, str] = os.environ) -> str:
    """Name the variable whose proxy stands on the way to an address; empty where there is none."""
    variable = next((each for each in PROXIES if each in environment), "")
    if not variable or stays_here(address) or address.startswith("vsock:"):
        return ""
    proxy = urlsplit(environment[variable])
    if proxy.scheme != "http" or not proxy.hostname:
        return ""  # gRPC says so in its log, and goes without
    spared = next((environment[each] for each in SPARED if each in environment), "")
    entries = [entry for each in spared.split(",") if (entry := each.strip().lower())]
    hosts = hosts_of(address)
    direct = hosts and all(_is_spared(host.lower(), entries) for host in hosts)
    return "" if direct else variable


def _is_spared(host: str, entries: list[str]) -> bool:
    return any(entry == "*" or host.endswith(entry) or _within(host, entry) for entry in entries)


def _within(host: str, entry: str) -> bool:
    """Tell whether a host is an IP address of a network, "10.0.0.0/8"."""
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
