"""The memory of workers over a run, and whether it grows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

MEGA = 1e6


@dataclass(frozen=True)
class Memory:
    """Memory of one process, in bytes."""

    own: int
    """Anonymous pages: what it allocated. Files of a generation and of libraries, which are mapped,
    are not in it; whether those count as private depends on who else runs on the machine."""
    rss: int
    """All its pages."""


def memory(pid: int) -> Memory:
    """Read what a process holds, without a look at each of its mappings: that would halt it.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError) as error:
        raise psutil.NoSuchProcess(pid) from error
    told = dict(line.split(":", 1) for line in status.splitlines())
    if "RssAnon" not in told:  # it has ended, and nobody has asked yet how
        raise psutil.NoSuchProcess(pid)
    own, rss = (int(told[name].split()[0]) * 1024 for name in ("RssAnon", "VmRSS"))
    return Memory(own=own, rss=rss)


@dataclass(frozen=True)
class Sample:
    """The memory of every worker at one moment."""

    at_s: float
    held: Mapping[int, Memory]
    """By process id."""


@dataclass
class Samples:
    """The memory of workers over a run."""

    taken: list[Sample] = field(default_factory=list)

    def of(self, pid: int) -> list[tuple[float, Memory]]:
        """Give what was seen of one worker, in order."""
        return [(each.at_s, each.held[pid]) for each in self.taken if pid in each.held]

    def pids(self) -> list[int]:
        """List every worker that was ever seen."""
        return sorted({pid for each in self.taken for pid in each.held})

    def growth(self, since_s: float, *, least: int = 2) -> dict[int, float]:
        """Give how much each worker's own memory grew from `since_s` to its end, as a share.

        Workers with fewer than `least` samples in that time are left out: they have only begun.
        """
        grown: dict[int, float] = {}
        for pid in self.pids():
            own = [held.own for at_s, held in self.of(pid) if at_s >= since_s]
            if len(own) >= least:
                grown[pid] = _level(own[-LEVEL:]) / _level(own[:LEVEL]) - 1
        return grown

    def written(self) -> list[dict[str, object]]:
        """Write what was seen, for JSON."""
        return [
            {
                "at_s": round(each.at_s, 1),
                "workers": {str(pid): asdict(held) for pid, held in each.held.items()},
            }
            for each in self.taken
        ]


LEVEL = 3
"""Samples of which the median is a level: a single one may be in the middle of a change."""


def _level(values: Sequence[int]) -> float:
    return float(sorted(values)[len(values) // 2])
