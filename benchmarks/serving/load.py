"""Load from outside: h2load over HTTP/2, which knows nothing of gRPC, Python or us."""

import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from google.protobuf.message import Message

MISSING = "h2load is not installed; on Debian: apt-get install nghttp2-client"
HEADERS = ("content-type: application/grpc", "te: trailers")
_RATE = re.compile(r"finished in [\d.]+\w+, ([\d.]+) req/s")
_CODES = re.compile(r"status codes: (\d+) 2xx")


class LoadError(Exception):
    """h2load is not there, or calls failed."""


@dataclass(frozen=True)
class Load:
    """How calls are made."""

    calls: int
    connections: int = 4
    streams: int = 8
    """Calls under way on each connection."""
    per_s: float | None = None
    """Calls per second over all connections; None for as many as are answered."""


@dataclass(frozen=True)
class Measured:
    """What a load came to."""

    per_s: float
    p50_ms: float
    p99_ms: float


def measure(port: int, method: str, request: Message, load: Load) -> Measured:
    """Call a method again and again.

    Raises:
        LoadError: h2load is not installed, or a call was not answered with OK.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        command = _command(port, method, request, load, Path(folder, "body"))
        command.insert(1, f"--log-file={log}")
        output = _run(command)
        answered, rate = _CODES.search(output), _RATE.search(output)
        if answered is None or rate is None or int(answered[1]) != load.calls:
            raise LoadError(f"h2load: not every call of {method} was answered: {output[-500:]}")
        taken_ms = np.loadtxt(log, usecols=2) / 1000
    middle, late = np.quantile(taken_ms, [0.5, 0.99]).tolist()
    return Measured(float(rate[1]), middle, late)


@contextmanager
def pressed(port: int, method: str, request: Message, load: Load) -> Iterator[None]:
    """Call a method for as long as the block lasts, or until the calls are used up.

    Whether they are answered does not matter.

    Raises:
        LoadError: h2load is not installed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = _command(port, method, request, load, Path(folder, "body"))
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except FileNotFoundError as error:
            raise LoadError(MISSING) from error
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _command(port: int, method: str, request: Message, load: Load, data: Path) -> list[str]:
    body = request.SerializeToString()
    data.write_bytes(b"\0" + struct.pack(">I", len(body)) + body)
    command = ["h2load", "-t1", f"-c{load.connections}", f"-m{load.streams}"]
    command += [f"-n{load.calls}", f"-d{data}"]
    if load.per_s is not None:
        command.append(f"--rps={max(1, round(load.per_s / load.connections))}")
    for header in HEADERS:
        command += ["-H", header]
    return [*command, f"http://127.0.0.1:{port}/{method}"]


def _run(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise LoadError(MISSING) from error
    except subprocess.CalledProcessError as error:
        raise LoadError(f"h2load: {error.stderr[-500:]}") from error
    return done.stdout
