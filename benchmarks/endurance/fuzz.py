"""Requests that nobody in their senses would send, to every method of a server with workers.

Held to: no INTERNAL, no UNKNOWN, no call without an answer, and no worker that dies of it.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import grpc
from google.protobuf.message import Message

from benchmarks.endurance.drawing import Drawer, Words, words_of
from benchmarks.endurance.generations import current
from benchmarks.endurance.mutation import mutate, random_bytes
from benchmarks.endurance.server import Operator, Server, settled, started
from benchmarks.endurance.stand_in import StandIn
from nearfield.v1 import admin_pb2 as pb
from server.methods import ADMIN_METHODS, ADMIN_SERVICE, METHODS

AT_ONCE = 48
PATIENCE_S = 60.0
"""A call that has no answer by then hangs."""
OPERATORS = 0.02
"""Share of calls that go to AdminService: there they start trials, which take seconds."""
PUBLISH = f"/{ADMIN_SERVICE}/PublishGeneration"
MOST_SHOWN = 20
OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
CONNECTIONS = 4
WRONG = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE)
"""UNAVAILABLE is what becomes of a call whose worker dies."""


@dataclass(frozen=True)
class Sent:
    """One call: where to, and each message of it."""

    path: str
    kind: str
    messages: tuple[bytes, ...]


@dataclass(frozen=True)
class Finding:
    """What should not have come."""

    sent: Sent
    what: str

    def __str__(self) -> str:
        written = " ".join(each.hex() or "(empty)" for each in self.sent.messages)
        return f"{self.what}\n  {self.sent.path} ({self.sent.kind}): {written}"


@dataclass
class Fuzzed:
    """What a run came to."""

    codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Calls by kind and code."""
    findings: list[Finding] = field(default_factory=list)
    took_s: float = 0.0
    deaths: int = 0


def draw_calls(seed: int, words: Words, manifest: bytes) -> Iterator[Sent]:
    """Draw calls without end; the same seed draws the same."""
    rng = random.Random(seed)
    drawer = Drawer(rng, words)
    ours = [(path, method.request) for path, method in METHODS.items()]
    operators = [(path, method.request) for path, method in ADMIN_METHODS.items()]
    operators.append((PUBLISH, pb.PublishGenerationRequest))
    while True:
        path, kind = rng.choice(operators if rng.random() < OPERATORS else ours)
        count = rng.randint(0, 4) if path == PUBLISH else 1
        how = rng.choice(("random", "mutated", "drawn", "drawn"))
        messages = tuple(_message(rng, drawer, kind, how, manifest) for _ in range(count))
        yield Sent(path, how, messages)


def _message(
    rng: random.Random, drawer: Drawer, kind: type[Message], how: str, manifest: bytes
) -> bytes:
    if how == "random":
        return random_bytes(rng)
    drawn = drawer.message(kind, oddness=rng.choice((0.0, 0.02, 0.1, 0.5)))
    if isinstance(drawn, pb.PublishGenerationRequest) and drawn.HasField("head"):
        drawn.head.manifest = mutate(rng, manifest) if rng.random() < 0.5 else manifest
    data = drawn.SerializeToString()
    return mutate(rng, data) if how == "mutated" else data


class Fuzzer:
    """Sends calls and judges what comes back; for one event loop."""

    def __init__(self, server: Server, fuzzed: Fuzzed) -> None:
        self._fuzzed = fuzzed
        self._workers = [
            grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=OPTIONS)
            for _ in range(CONNECTIONS)
        ]
        self._operator = grpc.aio.insecure_channel(f"127.0.0.1:{server.admin_port}")
        self._next = 0

    async def run(self, calls: Iterator[Sent]) -> None:
        """Send every call, a number of them at once."""
        began = time.monotonic()

        async def sending() -> None:
            for sent in calls:
                await self._send(sent)

        await asyncio.gather(*(sending() for _ in range(AT_ONCE)))
        self._fuzzed.took_s = time.monotonic() - began
        for each in (*self._workers, self._operator):
            await each.close()

    async def _send(self, sent: Sent) -> None:
        code, text = grpc.StatusCode.OK, ""
        try:
            await self._called(sent)
        except grpc.aio.AioRpcError as error:
            code, text = error.code(), error.details() or ""
        self._fuzzed.codes[sent.kind, code.name] += 1
        if code in WRONG and not _expected(code, text):
            self._fuzzed.findings.append(Finding(sent, f"{code.name}: {text}"))
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._fuzzed.findings.append(Finding(sent, f"no answer in {PATIENCE_S:g} s"))

    async def _called(self, sent: Sent) -> None:
        if sent.path == PUBLISH:
            stream: grpc.aio.StreamUnaryMultiCallable[bytes, bytes]
            stream = self._operator.stream_unary(sent.path)
            await stream(iter(sent.messages), timeout=PATIENCE_S)
            return
        channel = self._operator
        if not sent.path.startswith(f"/{ADMIN_SERVICE}/"):
            self._next = (self._next + 1) % CONNECTIONS
            channel = self._workers[self._next]
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(sent.path)
        await call(sent.messages[0], timeout=PATIENCE_S)


def _expected(code: grpc.StatusCode, text: str) -> bool:
    """Whether it is the featurizer that is away, and no worker."""
    return code is grpc.StatusCode.UNAVAILABLE and "featurizer" in text


def fuzz(out: Path, calls: int, seed: int, log: Path) -> Fuzzed:
    """Send calls to a server over an output folder.

    Raises:
        ServerError: the server did not come up, or its workers did not stay.
    """
    generation = current(out)
    manifest = (generation.path / "manifest.json").read_bytes()
    fuzzed = Fuzzed()
    drawn = draw_calls(seed, words_of(generation), manifest)
    with (
        StandIn(generation.manifest.featurizer) as stand_in,
        started(out, log, stand_in.flags) as server,
    ):
        asyncio.run(_send_all(server, fuzzed, islice(drawn, calls)))
        operator = Operator(server)
        settled(operator)
        fuzzed.deaths = sum(each.restarts for each in operator.workers())
        operator.close()
    return fuzzed


async def _send_all(server: Server, fuzzed: Fuzzed, calls: Iterator[Sent]) -> None:
    await Fuzzer(server, fuzzed).run(calls)


def report(fuzzed: Fuzzed, seed: int) -> bool:
    """Print what a run came to, and tell whether it was as it should be."""
    calls = sum(fuzzed.codes.values())
    print(f"{calls:,} calls in {fuzzed.took_s:.1f} s, {calls / fuzzed.took_s:,.0f} per second\n")
    print("| kind | code | calls |\n|---|---|---:|")
    for (kind, code), count in sorted(fuzzed.codes.items()):
        print(f"| {kind} | {code} | {count:,} |")
    print(f"\nworkers that died: {fuzzed.deaths}; findings: {len(fuzzed.findings)}")
    for finding in fuzzed.findings[:MOST_SHOWN]:
        print(f"seed {seed}: {finding}")
    return not fuzzed.findings and not fuzzed.deaths
