"""More calls than can be answered: how many are answered all the same, and how late.

h2load calls at a constant pace, whatever becomes of its calls; the server's own metrics say how
many were answered with OK. A second client, by grpc.aio, calls a few times a second beside it and
sees what a caller sees. Peak, three times it and 80% of it follow each other in turns, each with
the peak of its own, because the speed of the machine changes; figures are medians of the turns.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import grpc
import httpx
from google.protobuf.message import Message
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.pace import Done, Send, keep_pace, late_ms
from benchmarks.serving import figures
from benchmarks.serving.figure import Figure
from benchmarks.serving.load import Load, pressed
from benchmarks.serving.processes import free_port, serving
from export.generation import Generation
from nearfield.v1 import recommendation_pb2 as pb

CONNECTIONS, STREAMS = 8, 100
AT_PEAK = 4
"""Calls under way on each connection when as many are made as are answered."""
TIMEOUT_S = 2.0
"""What callers wait at most."""
STEADY, TIMES = 0.8, 3.0
WARM_S, MEASURED_S, TURNS = 2.0, 6.0, 5
PROBES_PER_S = 50.0


@dataclass(frozen=True)
class _Seen:
    """What became of calls at one pace."""

    ok_per_s: float
    """Calls that were answered with OK, by the server's count."""
    probes: list[Done]

    @property
    def late_ms(self) -> float:
        """Late answers, as a caller saw them, at the 99th percentile."""
        return late_ms([each for each in self.probes if each.outcome == "OK"], 0.99)


@dataclass(frozen=True)
class _Turn:
    """What became of calls at the peak, at three times it and below it."""

    peak: float
    crowd: _Seen
    steady: _Seen


class _Overload:
    """Presses one method of a server."""

    def __init__(self, port: int, metrics: int, method: str, request: Message, send: Send) -> None:
        self._port = port
        self._metrics = f"http://127.0.0.1:{metrics}/metrics"
        self._method = method
        self._request = request
        self._send = send

    async def at(self, per_s: float | None) -> _Seen:
        """Call at a pace, or as fast as calls are answered."""
        streams = STREAMS if per_s else AT_PEAK
        load = Load(10_000_000, connections=CONNECTIONS, streams=streams, per_s=per_s)
        done: list[Done] = []
        over = asyncio.Event()
        with pressed(self._port, self._method, self._request, load):
            await asyncio.sleep(WARM_S)
            began, before = asyncio.get_running_loop().time(), await self._answered()
            probing = asyncio.ensure_future(keep_pace(self._send, PROBES_PER_S, over, done))
            await asyncio.sleep(MEASURED_S)
            answered = await self._answered() - before
            took_s = asyncio.get_running_loop().time() - began
            over.set()
            await probing
        await asyncio.sleep(TIMEOUT_S)  # for what was left behind to end
        return _Seen(answered / took_s, done)

    async def _answered(self) -> float:
        """Read how many calls the server has answered with OK."""
        async with httpx.AsyncClient(trust_env=False) as client:
            text = (await client.get(self._metrics, timeout=30)).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "grpc_server_call_duration_seconds_count"
            and sample.labels["grpc_method"] == self._method
            and sample.labels["grpc_status"] == "OK"
        )


def overload(generation: Generation, out: Path) -> Iterator[Figure]:
    """Measure a generation at its peak, at 80% of it, and at three times it."""
    person = figures.embed_user(generation)
    asked = {
        "Recommend by history": (figures.RECOMMEND, pb.RecommendRequest(user=person.user, k=10)),
        "EmbedUser, 50 events": (figures.EMBED_USER, person),
    }
    for name, (method, request) in asked.items():
        metrics = free_port()
        flags = (*figures.QUIET, "--telemetry.metrics-port", str(metrics))
        with serving(generation.path, out / "server.log", *flags) as ours:
            yield from asyncio.run(_measure(name, ours.port, metrics, method, request))


async def _measure(
    name: str, port: int, metrics: int, method: str, request: Message
) -> list[Figure]:
    async with _caller(port, method, request) as send:
        pressing = _Overload(port, metrics, method, request, send)
        turns = [await _turn(pressing) for _ in range(TURNS)]
    outcomes = Counter(each.outcome for turn in turns for each in turn.crowd.probes)
    ends = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    name = f"{name}, overload"
    beside_peak = median(turn.crowd.ok_per_s / turn.peak for turn in turns)
    beside_steady = median(turn.crowd.late_ms / turn.steady.late_ms for turn in turns)
    return [
        Figure(f"{name}: peak", median(turn.peak for turn in turns), "/s"),
        Figure(
            f"{name}: answered at three times it",
            median(turn.crowd.ok_per_s for turn in turns),
            "/s",
        ),
        Figure(f"{name}: answered beside the peak", beside_peak, "x", 0.9),
        Figure(f"{name}: p99 at 80% of it", median(turn.steady.late_ms for turn in turns), "ms"),
        Figure(
            f"{name}: p99 of those answered (of all: {ends})",
            median(turn.crowd.late_ms for turn in turns),
            "ms",
        ),
        Figure(f"{name}: p99 beside that", beside_steady, "x", 3.0, least=False),
    ]


async def _turn(pressing: _Overload) -> _Turn:
    peak = (await pressing.at(None)).ok_per_s
    crowd = await pressing.at(peak * TIMES)
    return _Turn(peak, crowd, await pressing.at(peak * STEADY))


@asynccontextmanager
async def _caller(port: int, method: str, request: Message) -> AsyncIterator[Send]:
    """Make calls of a method, one at a time over a connection of their own."""
    data = request.SerializeToString()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")

        async def send() -> tuple[str, str]:
            try:
                await call(data, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                return method, error.code().name
            return method, "OK"

        yield send
