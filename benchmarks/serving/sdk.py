"""Calls by the SDK beside the same calls by bare gRPC, which sends and gets bytes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import grpc

from benchmarks.serving import figures
from benchmarks.serving.figure import Figure
from benchmarks.serving.processes import serving
from export.generation import Generation
from nearfield import AsyncClient, Client, Connection

CONNECTIONS, AT_ONCE = 8, 32
ROUNDS = 3
METHOD = f"/{figures.RECOMMEND}"

Send = Callable[[], Awaitable[object]]


def sdk(generation: Generation, out: Path, calls: int) -> Iterator[Figure]:
    """Ask for ten items of a known user, one call at a time and many at once, turn by turn."""
    user_id = generation.user_ids.id(0)
    data = figures.by_id(generation).SerializeToString()
    with serving(generation.path, out / "server.log", *figures.QUIET) as ours:
        address = f"127.0.0.1:{ours.port}"
        yield from _one_at_a_time(address, user_id, data, calls // 5)
        yield from asyncio.run(_many_at_once(address, user_id, data, calls))


def _one_at_a_time(address: str, user_id: str, data: bytes, calls: int) -> Iterator[Figure]:
    own, bare = [], []
    with Client(address) as client, grpc.insecure_channel(address) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(METHOD)
        for _ in range(calls):
            began = time.perf_counter()
            client.recommend(user_id, k=10)
            between = time.perf_counter()
            call(data)
            own.append((between - began) * 1000)
            bare.append((time.perf_counter() - between) * 1000)
    name = "Recommend by id, one call at a time"
    yield Figure(f"{name}: Client, p50", median(own), "ms")
    yield Figure(f"{name}: bare gRPC, p50", median(bare), "ms")


async def _many_at_once(address: str, user_id: str, data: bytes, calls: int) -> list[Figure]:
    async with AsyncExitStack() as stack:
        connection = Connection(connections=CONNECTIONS)
        client = await stack.enter_async_context(AsyncClient(address, connection=connection))
        options = [("grpc.use_local_subchannel_pool", 1)]
        bare: list[grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]] = [
            (
                await stack.enter_async_context(grpc.aio.insecure_channel(address, options))
            ).unary_unary(METHOD)
            for _ in range(CONNECTIONS)
        ]
        turns = iter(range(10**9))
        ways: dict[str, Send] = {
            "AsyncClient": lambda: client.recommend(user_id, k=10),
            "bare grpc.aio": lambda: bare[next(turns) % CONNECTIONS](data),
        }
        paces: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, send in ways.items():
                per_s = await _per_s(send, calls if number else calls // 10)
                if number:  # the first one warms up
                    paces[name].append(per_s)
    title = f"Recommend by id, {AT_ONCE} calls at once"
    return [Figure(f"{title}: {name}", median(found), "/s") for name, found in paces.items()]


async def _per_s(send: Send, calls: int) -> float:
    """Make calls, a number of them under way all the time, and count how many end per second."""
    left = iter(range(calls))

    async def asking() -> None:
        for _ in left:
            await send()

    began = time.perf_counter()
    await asyncio.gather(*(asking() for _ in range(AT_ONCE)))
    return calls / (time.perf_counter() - began)
