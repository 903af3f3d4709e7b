"""What security costs each call: `python -m benchmarks.authentication`.

Inside the process, one thread, no wire: who calls, by each way of telling it, then the role, the
rate and a line of the log. A token is remembered once it was checked; "checked" is what its first
call pays.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

import jwt
import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from numpy.typing import NDArray

from server.security.api_keys import make_key
from server.security.authenticator import Metadata
from server.security.callers import Caller, CallerLimits, Role
from server.security.callers_file import KeyLine, edit_lines
from server.security.gate import Gate, open_gate
from server.security.redact import redact
from server.security.roles import check_role
from server.security.settings import SecuritySettings

PER_BATCH = 50
"""Calls between two looks at the clock, which itself costs as much as some of them."""
ORDINARY = (
    ("user-agent", "grpc-python/1.85.1 grpc-c/54.0.0 (linux; chttp2)"),
    ("x-request-id", "3f2b8a0c9d7e4f5a8b6c1d2e3f4a5b6c"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
)
"""What comes with every call."""
LINE = {
    "event": "call",
    "level": "info",
    "timestamp": "2026-11-26T11:40:42.123456Z",
    "method": "/nearfield.v1.RecommendationService/Recommend",
    "caller": "shop",
    "code": "OK",
    "request_id": "3f2b8a0c9d7e4f5a8b6c1d2e3f4a5b6c",
    "took_ms": 1.25,
}

Signer = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Timing:
    """Microseconds of one call, over many batches of calls."""

    what: str
    taken_us: NDArray[np.float64]

    def __str__(self) -> str:
        """Lay out as a row of a table."""
        middle, late = np.quantile(self.taken_us, [0.5, 0.99])
        return f"| {self.what} | {middle:.2f} | {late:.2f} |"


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.authentication", description=__doc__
    )
    parser.add_argument(
        "--calls", type=int, default=20_000, help="of each kind; default %(default)s"
    )
    options = parser.parse_args(arguments)
    print("| per call | median, µs | 99th percentile, µs |\n|---|---:|---:|")
    with TemporaryDirectory() as folder:
        for what, call in _calls(Path(folder)):
            print(_time(what, call, options.calls // PER_BATCH))
    return 0


def _time(what: str, call: Callable[[], object], batches: int) -> Timing:
    taken = np.empty(max(batches, 1))
    for number in range(-1, len(taken)):  # the first is to warm up; the last place takes it first
        began = time.perf_counter_ns()
        for _ in range(PER_BATCH):
            call()
        taken[number] = (time.perf_counter_ns() - began) / PER_BATCH / 1000
    return Timing(what, taken)


def _calls(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    off = open_gate(SecuritySettings(authentication="off"), "127.0.0.1")
    yield "authentication off", lambda: _ask(off, ORDINARY)
    by_key, key = _by_key(folder)
    with_key = (*ORDINARY, ("authorization", f"Bearer {key}"))
    yield "API key, of 1,000 callers", lambda: _ask(by_key, with_key)
    signers: dict[str, Signer] = {
        "RS256": rsa.generate_private_key(65537, 2048),
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }
    for algorithm, signer in signers.items():
        tokens = [_token(signer, algorithm, subject) for subject in ("ada", "bob")]
        each = [(*ORDINARY, ("authorization", f"Bearer {token}")) for token in tokens]
        remembering, one = _by_token(folder, signer, remembered=2), cycle(each[:1])
        yield f"token, remembered, {algorithm}", _asking(remembering, one)
        forgetting, both = _by_token(folder, signer, remembered=1), cycle(each)
        yield f"token, checked, {algorithm}", _asking(forgetting, both)
    caller = _ask(by_key, with_key)
    yield "role", lambda: check_role(caller, Role.INFERENCE)
    limits = CallerLimits(calls_per_s=1e9, max_concurrent_calls=1000)
    limited = Caller("shop", caller.roles, limits)
    yield "rate, without limits", lambda: _take(off, caller)
    yield "rate, with limits", lambda: _take(off, limited)
    yield "redacting a line of the log", lambda: redact(None, "info", dict(LINE))


def _ask(gate: Gate, metadata: Metadata) -> Caller:
    return gate.authenticator.authenticate(metadata, dict)


def _asking(gate: Gate, metadata: Iterator[Metadata]) -> Callable[[], object]:
    return lambda: _ask(gate, next(metadata))


def _take(gate: Gate, caller: Caller) -> None:
    with gate.rates.admit(caller) as account:
        account.charge(1)


def _by_key(folder: Path) -> tuple[Gate, str]:
    """Open a gate for 1,000 callers, and give the key of one."""
    path = folder / "callers.jsonl"
    made = [make_key() for _ in range(1000)]
    roles, created = frozenset({Role.INFERENCE}), datetime.now(UTC)
    lines = [
        KeyLine(name=f"c-{key.id}", roles=roles, created=created, id=key.id, sha256=key.sha256)
        for key in made
    ]
    edit_lines(path, lambda _: lines)
    return open_gate(SecuritySettings(callers_file=path), "127.0.0.1"), made[0].key


def _by_token(folder: Path, signer: Signer, *, remembered: int) -> Gate:
    path = folder / "issuer.pem"
    path.write_bytes(
        signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    settings = SecuritySettings(
        jwt_keys_file=path, jwt_issuer="i", jwt_audience="a", jwt_remembered=remembered
    )
    return open_gate(settings, "127.0.0.1")


def _token(signer: Signer, algorithm: str, subject: str) -> str:
    ends = datetime.now(UTC) + timedelta(hours=1)
    claims = {"iss": "i", "aud": "a", "sub": subject, "exp": ends, "roles": ["inference"]}
    return jwt.encode(claims, signer, algorithm)


if __name__ == "__main__":
    sys.exit(main())
