"""Ask a server over the network how it is: `python -m server check`, for containers and scripts.

Exit status: 0 when it is SERVING, 1 when it is not or does not answer, 2 for wrong options. Imports
no more than asking takes: it is run every few seconds beside a server that needs the cores.
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from server.addresses import address_of, is_unix

SERVING = 0
NOT_SERVING = 1
WRONG_OPTIONS = 2

DEFAULT_PORT = "50051"
VARIABLE = "NEARFIELD_CHECK_"


def main(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Ask once, say the answer in one line, and return the exit status."""
    options = _options(arguments, environment)
    try:
        credentials = _credentials(options)
    except OSError as error:
        sys.stderr.write(f"check: {error}\n")
        return WRONG_OPTIONS
    answer = _ask(options, credentials)
    sys.stdout.write(f"{options.target}: {answer}\n")
    return SERVING if answer == "SERVING" else NOT_SERVING


def _ask(options: argparse.Namespace, credentials: grpc.ChannelCredentials | None) -> str:
    """Return the status that the server reports, or why there is none."""
    # A server is asked itself, never by way of a proxy that the environment names.
    settings: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if options.tls_name:
        settings.append(("grpc.ssl_target_name_override", options.tls_name))
    if credentials is None:
        channel = grpc.insecure_channel(options.target, settings)
    else:
        channel = grpc.secure_channel(options.target, credentials, settings)
    with channel:
        stub: Any = health_pb2_grpc.HealthStub  # has no types
        request = health_pb2.HealthCheckRequest(service=options.service)
        try:
            status: int = stub(channel).Check(request, timeout=options.timeout).status
        except grpc.RpcError as error:
            return _why(error)
    name: str = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    return name


def _why(error: grpc.RpcError) -> str:
    if not isinstance(error, grpc.Call):
        return str(error)
    details = " ".join((error.details() or "").split())
    return f"{error.code().name}: {details}"


def _credentials(options: argparse.Namespace) -> grpc.ChannelCredentials | None:
    """Read the files of TLS; None without an authority.

    Raises:
        OSError: one cannot be read.
    """
    if options.tls_ca is None:
        return None
    pair = (options.tls_cert, options.tls_key)
    cert, key = (None if path is None else path.read_bytes() for path in pair)
    return grpc.ssl_channel_credentials(options.tls_ca.read_bytes(), key, cert)


def _options(arguments: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Read the options; ends with status 2 where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m server check",
        description="Ask a server how it is (grpc.health.v1). Exit status: 0 when it is SERVING, "
        "1 when it is not or does not answer, 2 for wrong options.",
        epilog=f"Each option is also an environment variable: --tls-ca is {VARIABLE}TLS_CA.",
    )

    def add(name: str, kind: Callable[[str], object], default: str | None, told: str) -> None:
        variable = VARIABLE + name.upper().replace("-", "_")
        given = environment.get(variable) or default
        parser.add_argument(f"--{name}", type=kind, default=given, help=told)

    add("target", str, _usual_target(environment), "host and port; default: %(default)s")
    add("service", str, "", "full name of a service; default: the server as a whole")
    add("timeout", _seconds, "2", "seconds for all of it; default: %(default)s")
    add("tls-ca", Path, None, "authorities in PEM that may vouch for the server; without, no TLS")
    add("tls-name", str, "", "name in the server's certificate, where it is not the target's host")
    add("tls-cert", Path, None, "certificate in PEM to show, for mutual TLS")
    add("tls-key", Path, None, "private key of --tls-cert in PEM")
    options = parser.parse_args(arguments)
    if (options.tls_cert is None) != (options.tls_key is None):
        parser.error("expected both --tls-cert and --tls-key, or neither")
    if options.tls_ca is None and (options.tls_cert or options.tls_name):
        parser.error("expected --tls-ca beside the other options of TLS")
    return options


def _usual_target(environment: Mapping[str, str]) -> str:
    """Where a server of the same environment is reached from this machine."""
    host = environment.get("NEARFIELD_HOST", "")
    if is_unix(host):
        return address_of(host, 0)
    return f"127.0.0.1:{environment.get('NEARFIELD_PORT') or DEFAULT_PORT}"


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text}")
    return seconds
