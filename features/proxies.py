"""Which proxy of the environment stands on the way to an HTTP server: none on this machine."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urlsplit

from features.errors import FeatureError


@dataclass(frozen=True)
class Proxy:
    """A proxy, and the variable of the environment that names it."""

    variable: str
    """Its name, in the case in which it stands there."""
    url: str = field(repr=False)
    """Where the proxy is; it may hold a password."""


def proxy_of(url: str, environment: Mapping[str, str] = os.environ) -> Proxy | None:
    """Find the proxy by the rules of curl and of Python: `no_proxy` names what goes without.

    Raises:
        FeatureError: what the variable names is no proxy for HTTP.
    """
    server = urlsplit(url)
    _, spared = _variable("no_proxy", environment)
    if _is_spared(server, spared):
        return None
    named = (_variable(each, environment) for each in (f"{server.scheme}_proxy", "all_proxy"))
    variable, value = next((each for each in named if each[1]), ("", ""))
    if not variable:
        return None
    proxy = value if "://" in value else f"http://{value}"
    parts = urlsplit(proxy)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise FeatureError(f"{variable} must be http:// or https:// and a host, for {url}")
    return Proxy(variable, proxy)


def _is_spared(server: SplitResult, spared: str) -> bool:
    """Tell whether a list of hosts and domains, with ports or without, or "*", has a server."""
    host = server.hostname or ""
    names = (host, f"{host}:{server.port}")
    entries = [entry for each in spared.split(",") if (entry := each.strip().lower().lstrip("."))]
    return any(
        entry == "*" or name == entry or name.endswith(f".{entry}")
        for entry in entries
        for name in names
    )


def _variable(name: str, environment: Mapping[str, str]) -> tuple[str, str]:
    """Give a variable and its value: in lower case, where it is there, else in upper case."""
    there = next((each for each in (name, name.upper()) if each in environment), name)
    return there, environment.get(there, "").strip()
