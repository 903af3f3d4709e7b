"""Everything at once for a while: mixed calls, swaps, killed workers, a featurizer that fails.

Every call that does not end with OK has to be explained by what was wrong at that moment, with an
error that the design names for it (see `faults.ALLOWED`); the own memory of workers that live long
must not grow.
"""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.endurance.faults import Faults, Troublemaker
from benchmarks.endurance.generations import current
from benchmarks.endurance.memory import MEGA, Sample, Samples
from benchmarks.endurance.mixed import NEW, Mixed
from benchmarks.endurance.server import Operator, Server, started
from benchmarks.endurance.stand_in import StandIn
from benchmarks.pace import Done, capacity, keep_pace, late_ms
from export.generation import Generation

WARM_UP_S = 3.0
CAPACITY_S = 6.0
SHARE = 0.7
SAMPLE_S = 10.0
MOST_GROWTH = 0.1
FIRST_MINUTES = 10.0
"""Growth is counted from here: by then a worker has been through every kind of trouble, most of it
more than once, and the load of two."""
LONG_LIFE = 30
"""Samples that make a worker one that lives long: five minutes, more than from kill to kill."""


@dataclass
class Soaked:
    """What a run came to."""

    per_s: float = 0.0
    began_s: float = 0.0
    took_s: float = 0.0
    done: list[Done] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    samples: Samples = field(default_factory=Samples)

    def unexplained(self) -> list[Done]:
        """Calls that failed in a way that the design does not name for what was wrong."""
        return [
            each
            for each in self.done
            if each.outcome != "OK"
            and not self.faults.explain(
                each.outcome,
                each.due_s,
                each.due_s + each.took_s,
                new_item=each.what.startswith(NEW),
            )
        ]

    def growth(self) -> dict[int, float]:
        """Growth of the own memory of each worker that lived long, by process id."""
        since_s = min(FIRST_MINUTES * 60, self.took_s / 3)
        return self.samples.growth(since_s, least=LONG_LIFE)

    @property
    def held(self) -> bool:
        """Whether it was as it should be."""
        grown = max(self.growth().values(), default=0.0)
        return not self.unexplained() and grown <= MOST_GROWTH


async def _run(server: Server, generation: Generation, stand_in: StandIn, minutes: float) -> Soaked:
    soaked, over = Soaked(), asyncio.Event()
    mixed, operator = Mixed(server.port, generation, seed=0), Operator(server)
    await capacity(mixed.send, WARM_UP_S)
    soaked.per_s = SHARE * await capacity(mixed.send, CAPACITY_S)
    trouble = Troublemaker(operator, stand_in, over)
    soaked.faults = trouble.faults
    soaked.began_s = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_pace(mixed.send, soaked.per_s, over, soaked.done))
        tasks.create_task(trouble.run())
        tasks.create_task(_sample(operator, soaked, over))
        await asyncio.sleep(minutes * 60)
        over.set()
    soaked.took_s = time.monotonic() - soaked.began_s
    await mixed.client.close()
    operator.close()
    return soaked


async def _sample(operator: Operator, soaked: Soaked, over: asyncio.Event) -> None:
    while not over.is_set():
        held = await asyncio.to_thread(operator.memory)
        soaked.samples.taken.append(Sample(time.monotonic() - soaked.began_s, held))
        await asyncio.sleep(SAMPLE_S)


def soak(out: Path, minutes: float, work: Path) -> Soaked:
    """Let a server over an output folder bear everything for a while.

    Raises:
        ServerError: the server did not come up.
    """
    generation = current(out)
    with (
        StandIn(generation.manifest.featurizer) as stand_in,
        started(out, work / "soak.log", stand_in.flags) as server,
    ):
        soaked = asyncio.run(_run(server, generation, stand_in, minutes))
    _write(soaked, work / "soak.json")
    return soaked


def outcomes(soaked: Soaked) -> Counter[tuple[str, str]]:
    """Count calls by kind and outcome."""
    return Counter((each.what, each.outcome) for each in soaked.done)


def report(soaked: Soaked) -> bool:
    """Print what a run came to, and tell whether it was as it should be."""
    print(
        f"{len(soaked.done):,} calls in {soaked.took_s / 60:.1f} min at {soaked.per_s:,.0f} per "
        f"second; p50 {late_ms(soaked.done, 0.5):.1f} ms, p99 {late_ms(soaked.done, 0.99):.1f} ms"
    )
    happened = Counter(each.fault.value for each in soaked.faults.happened)
    print("; ".join(f"{what}: {count}" for what, count in sorted(happened.items())))
    print("\n| call | outcome | calls |\n|---|---|---:|")
    for (what, outcome), count in sorted(outcomes(soaked).items()):
        print(f"| {what} | {outcome} | {count:,} |")
    for pid, grown in soaked.growth().items():
        last = soaked.samples.of(pid)[-1][1].own / MEGA
        print(f"worker {pid}: own memory {last:,.0f} MB, growth {grown:+.1%}")
    unexplained = soaked.unexplained()
    print(f"calls that failed otherwise than the design says: {len(unexplained)}")
    for each in unexplained[:20]:
        at_s = each.due_s - soaked.began_s
        print(f"  at {at_s:.1f} s, after {each.took_s:.2f} s: {each.what}: {each.outcome}")
    return soaked.held


def _write(soaked: Soaked, path: Path) -> None:
    content = {
        "calls_per_s": soaked.per_s,
        "took_s": soaked.took_s,
        "outcomes": [[what, outcome, n] for (what, outcome), n in outcomes(soaked).items()],
        "faults": [
            [each.fault.value, each.begin_s - soaked.began_s, each.end_s - soaked.began_s]
            for each in soaked.faults.happened
        ],
        "unexplained": len(soaked.unexplained()),
        "growth": soaked.growth(),
        "memory": soaked.samples.written(),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
