"""One generation after the other under constant load: no call fails, none waits, memory stays.

A swap is: a trial in a process of its own, the generation opened in each worker, one step, and the
old one let go of. Calls that were due from the moment an operator asks for it until `AFTER_S` after
its end are the calls during a swap; the others are steady.
"""

import asyncio
import json
import random
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc

from benchmarks.endurance.generations import current
from benchmarks.endurance.memory import MEGA, Sample, Samples
from benchmarks.endurance.server import Operator, Server, other, started
from benchmarks.pace import Done, capacity, keep_pace, late_ms
from benchmarks.serving import figures
from export.generation import Generation
from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.methods import METHODS

AFTER_S = 1.0
PAUSE_S = 5.0
WARM_UP_S = 3.0
CAPACITY_S = 5.0
SHARE = 0.5
"""Of what was answered at most, as the constant load."""
CONNECTIONS = 32
"""The system deals them out to the workers by chance: of few, one worker may get nearly all."""
TIMEOUT_S = 30.0
QUIET = ("--featurizer", "none")
MOST_LATE = 1.5
MOST_GROWTH = 0.1
FIRST_SWAP = 2
"""Growth is counted from here: the first swap brings what any later one needs too."""
PEOPLE = 200


@dataclass
class Swapped:
    """What a run came to."""

    per_s: float = 0.0
    done: list[Done] = field(default_factory=list)
    windows: list[tuple[float, float]] = field(default_factory=list)
    """Begin and end of each swap."""
    samples: Samples = field(default_factory=Samples)
    """After each swap."""

    def during(self, call: Done) -> bool:
        """Tell whether a call was due during a swap."""
        return any(begin <= call.due_s <= end + AFTER_S for begin, end in self.windows)

    @property
    def failed(self) -> list[Done]:
        """Calls that were not answered with OK."""
        return [each for each in self.done if each.outcome != "OK"]

    @property
    def growth(self) -> float:
        """Growth of the workers' own memory, as a share: from an early swap to the last one."""
        taken = self.samples.taken
        early = taken[min(FIRST_SWAP, len(taken)) - 1]
        return _own(taken[-1]) / _own(early) - 1

    def figures(self) -> dict[str, float]:
        """Sum it up."""
        steady = [each for each in self.done if not self.during(each)]
        swapping = [each for each in self.done if self.during(each)]
        return {
            "swaps": len(self.windows),
            "calls": len(self.done),
            "calls per second": self.per_s,
            "failed calls": len(self.failed),
            "longest swap, s": max(end - begin for begin, end in self.windows),
            "p50 steady, ms": late_ms(steady, 0.5),
            "p50 during swaps, ms": late_ms(swapping, 0.5),
            "p99 steady, ms": late_ms(steady, 0.99),
            "p99 during swaps, ms": late_ms(swapping, 0.99),
            "p99 during swaps beside steady": late_ms(swapping, 0.99) / late_ms(steady, 0.99),
            "own memory after the first swap, MB": _own(self.samples.taken[0]) / MEGA,
            "own memory after the last swap, MB": _own(self.samples.taken[-1]) / MEGA,
            "growth of own memory": self.growth,
        }


def requests(generation: Generation) -> list[tuple[str, bytes]]:
    """Make calls of the usual kinds: half of them read, the others computed."""
    made: list[tuple[str, bytes]] = []
    for number in range(PEOPLE):
        by_id = figures.by_id(generation, user=number % len(generation.user_ids))
        person = types_pb2.UserInput(history=figures.history(generation, number))
        item = generation.item_ids.id(number * 7 % len(generation))
        for path, message in (
            ("RecommendationService/Recommend", by_id),
            ("RecommendationService/Recommend", pb.RecommendRequest(user=person)),
            ("EmbeddingService/EmbedUser", embedding_pb2.EmbedUserRequest(user=person)),
            ("EmbeddingService/EmbedItem", embedding_pb2.EmbedItemRequest(item_id=item)),
            ("RecommendationService/FindSimilarItems", pb.FindSimilarItemsRequest(item_id=item)),
        ):
            full = f"/nearfield.v1.{path}"
            assert full in METHODS, "the contract has these methods"
            made.append((full, message.SerializeToString()))
    return made


class Callers:
    """Calls over several connections, without tries again: what fails is seen."""

    def __init__(self, port: int, made: list[tuple[str, bytes]]) -> None:
        self._made = made
        self._rng = random.Random(0)
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        self._channels = [
            grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options)
            for _ in range(CONNECTIONS)
        ]

    async def send(self) -> tuple[str, str]:
        """Make one of the calls."""
        path, data = self._rng.choice(self._made)
        channel = self._rng.choice(self._channels)
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
        try:
            await call(data, timeout=TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            return path, f"{error.code().name}: {error.details()}"
        return path, "OK"

    async def close(self) -> None:
        """Hang up."""
        for each in self._channels:
            await each.close()


async def _run(server: Server, generation: Generation, swaps: int, per_s: float | None) -> Swapped:
    swapped = Swapped()
    callers, operator = Callers(server.port, requests(generation)), Operator(server)
    await capacity(callers.send, WARM_UP_S)
    swapped.per_s = per_s or SHARE * await capacity(callers.send, CAPACITY_S)
    over = asyncio.Event()
    load = asyncio.ensure_future(keep_pace(callers.send, swapped.per_s, over, swapped.done))
    await asyncio.sleep(PAUSE_S)
    names = await asyncio.to_thread(operator.generations)
    for _ in range(swaps):
        serving = await asyncio.to_thread(operator.serving)
        began = time.monotonic()
        await asyncio.to_thread(operator.activate, other(names, serving))
        swapped.windows.append((began, time.monotonic()))
        await asyncio.sleep(PAUSE_S)
        held = await asyncio.to_thread(operator.memory)
        swapped.samples.taken.append(Sample(time.monotonic(), held))
    over.set()
    await load
    await callers.close()
    operator.close()
    return swapped


def swap(out: Path, swaps: int, per_s: float | None, work: Path) -> Swapped:
    """Change between the generations of an output folder, one after the other.

    Raises:
        ServerError: the server did not come up.
    """
    generation = current(out)
    with started(out, work / "swaps.log", QUIET) as server:
        swapped = asyncio.run(_run(server, generation, swaps, per_s))
    content = {
        "figures": swapped.figures(),
        "memory": swapped.samples.written(),
        "swaps": [end - begin for begin, end in swapped.windows],
        "failed": [asdict(each) for each in swapped.failed[:100]],
    }
    (work / "swaps.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return swapped


def report(swapped: Swapped) -> bool:
    """Print what a run came to, and tell whether it was as it should be."""
    told = swapped.figures()
    print("| figure | value |\n|---|---:|")
    for name, value in told.items():
        print(f"| {name} | {value:,.2f} |")
    for each in swapped.failed[:10]:
        print(f"failed: {each.what}: {each.outcome}")
    return (
        not swapped.failed
        and told["p99 during swaps beside steady"] <= MOST_LATE
        and swapped.growth <= MOST_GROWTH
    )


def _own(sample: Sample) -> int:
    return sum(each.own for each in sample.held.values())
