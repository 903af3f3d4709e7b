"""The memory of workers over a run, and whether it grows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.serving.processes import Memory

MEGA = 1e6


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
            own = [held.private for at_s, held in self.of(pid) if at_s >= since_s]
            if len(own) >= least:
                grown[pid] = _level(own[-LEVEL:]) / _level(own[:LEVEL]) - 1
        return grown

    def written(self) -> list[dict[str, object]]:
        """Write what was seen, for JSON."""
        return [
            {
                "at_s": round(each.at_s, 1),
                "workers": {
                    str(pid): {"uss": held.private, "rss": held.private + held.shared}
                    for pid, held in each.held.items()
                },
            }
            for each in self.taken
        ]


LEVEL = 3
"""Samples of which the median is a level: a single one may be in the middle of a change."""


def _level(values: Sequence[int]) -> float:
    return float(sorted(values)[len(values) // 2])
