"""What a real worker takes in memory while callers send what is large only once it is parsed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1.types_pb2 import HistoryEvent, UserInput
from tests.server.security.support import add_key
from tests.server.test_main import serving

CONNECTIONS = 10
CALLS = 30
"""At once."""
BYTES = 4 * 1024 * 1024
SERVICE = "/nearfield.v1.RecommendationService"
FLOODS = {
    "elements": (f"{SERVICE}/BatchRecommend", b"\x0a\x00"),
    "events": (f"{SERVICE}/Recommend", b"\x0a\x02\x12\x00"),
    "ids": (f"{SERVICE}/Recommend", b"\x1a\x02\x1a\x00"),
    "health": ("/grpc.health.v1.Health/Check", b"\x0a\x00"),
}
ALONE = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]


@dataclass(frozen=True)
class Worker:
    """A worker process that answers."""

    process: psutil.Process
    port: int
    key: str

    def peak(self) -> int:
        """Largest resident memory since `forget`, in bytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
        raise AssertionError("Linux says it")

    def forget(self) -> None:
        """Begin to look for the largest anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@pytest.fixture(scope="module")
def worker(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    callers = tmp_path_factory.mktemp("callers") / "callers.jsonl"
    key = add_key(callers)
    security = ("--security.authentication", "required", "--security.callers-file", str(callers))
    with serving(folder, "--featurizer", "none", *security) as (process, port):
        (child,) = psutil.Process(process.pid).children()
        yield Worker(child, port, key)


@pytest.fixture
async def channels(worker: Worker) -> AsyncIterator[list[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        target = f"127.0.0.1:{worker.port}"
        yield [
            await stack.enter_async_context(grpc.aio.insecure_channel(target, options=ALONE))
            for _ in range(CONNECTIONS)
        ]


async def call(
    channel: grpc.aio.Channel, path: str, data: bytes, key: str | None, *, gzip: bool = False
) -> str:
    method: Any = channel.unary_unary(path)
    metadata = () if key is None else (("authorization", f"Bearer {key}"),)
    compression = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
    try:
        await method(data, timeout=60, metadata=metadata, compression=compression)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def honest(channels: list[grpc.aio.Channel], key: str) -> None:
    """Recommend by long histories, in large batches and alone."""
    history = [HistoryEvent(item_id=f"podcast-{number % 30:02d}") for number in range(400)]
    request = pb.RecommendRequest(user=UserInput(history=history), k=10)
    batch = pb.BatchRecommendRequest(requests=[request] * 256).SerializeToString()
    calls = [call(each, f"{SERVICE}/BatchRecommend", batch, key) for each in channels]
    calls += [
        call(each, f"{SERVICE}/Recommend", request.SerializeToString(), key) for each in channels
    ]
    outcomes = Counter(await asyncio.gather(*calls))
    assert outcomes["OK"] > CONNECTIONS


@pytest.fixture
async def usual(worker: Worker, channels: list[grpc.aio.Channel]) -> int:
    """Memory that honest calls take."""
    await honest(channels, worker.key)
    usual = worker.peak()
    worker.forget()
    return usual


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("known", [False, True], ids=["without-credentials", "with-credentials"])
async def test_flood_of_many_small_parts_takes_no_memory(
    worker: Worker, channels: list[grpc.aio.Channel], usual: int, known: bool, gzip: bool
) -> None:
    key = worker.key if known else None
    for name, (path, part) in FLOODS.items():
        data = part * (BYTES // len(part))
        calls = [call(channels[n % CONNECTIONS], path, data, key, gzip=gzip) for n in range(CALLS)]
        refused = known or name == "health"
        expected = "INVALID_ARGUMENT" if refused else "UNAUTHENTICATED"
        # Where they come slowly, some of those that are let in are asked to come again.
        assert set(await asyncio.gather(*calls)) - {"RESOURCE_EXHAUSTED"} == {expected}
    assert worker.peak() <= 1.2 * usual
    await honest(channels, worker.key)
