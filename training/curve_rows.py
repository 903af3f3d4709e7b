"""The rows of the two curves that the papers lack: unseen items, and the age of the foundation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from graph.errors import SplitError
from graph.item_graph import ItemGraph
from tables.dataset import Dataset
from training.options import AGES
from training.variants import DEFAULT, Variant
from training.view import View

DAY_S = 86_400
_COPIED_UP_TO = 2
_LENDERS = 5


def unseen_items(graph: ItemGraph) -> tuple[Variant, ...]:
    """List the ways to prepare a foundation for items that nobody has chosen yet.

    Every way stands alone, on a foundation without neighbourhood dropout, and together with the
    default dropout; all of that with content relations and without them.
    """
    content = any(len(graph.edges(name)) for name in graph.content_relations)
    problem = "" if content else "no content relation has an edge"
    return (
        Variant(name=DEFAULT, meaning="as the settings say"),
        Variant(
            name="text-only",
            meaning="text alone: neighbours, plain and centred, and towers",
            models=("text-knn", "text-knn-centred", "2t"),
            against="2t-hgnn",
        ),
        *_ways("", {}, "", ""),
        *_ways("-no-content", {"content_relations": []}, ", no content relations", problem),
    )


def _ways(
    suffix: str, graph: dict[str, list[str]], addition: str, problem: str
) -> Iterator[Variant]:
    dropouts = {"0": 0.0, "0.2": 0.2, "0.5": 0.5}
    ways: dict[str, tuple[str, dict[str, float | int]]] = {
        f"dropout-{name}": (f"neighbourhood dropout {name}", {"neighbourhood_dropout": share})
        for name, share in dropouts.items()
    }
    for share in ("0", "0.2"):
        dropped = {"neighbourhood_dropout": dropouts[share]}
        ways[f"copies-{share}"] = (
            f"copies of items with at most {_COPIED_UP_TO} neighbours (NodeDup), dropout {share}",
            {"copied_up_to": _COPIED_UP_TO, **dropped},
        )
        ways[f"borrowed-{share}"] = (
            f"neighbours borrowed from the {_LENDERS} nearest texts, dropout {share}",
            {"lenders": _LENDERS, **dropped},
        )
    for name, (meaning, foundation) in ways.items():
        yield Variant(
            name=name + suffix,
            meaning=meaning + addition,
            changes={"graph": graph, "foundation": foundation},
            problem=problem,
        )


@dataclass(frozen=True)
class Windows:
    """Stretches of time that hold equally many interactions each.

    Shares and not days: most interactions of a data set may lie in a few of its weeks.
    """

    ends: tuple[int, ...]
    """Unix seconds; a window holds what came before its end and not before the one before."""

    @classmethod
    def of(cls, dataset: Dataset, count: int) -> "Windows":
        """Cut a data set's time.

        Raises:
            SplitError: there is no time, so little that a window is empty, or fewer than two
                windows.
        """
        if count < 2:
            raise SplitError(f"windows: expected at least 2, got {count}")
        rows = dataset.interactions
        if dataset.has_split:
            rows = rows.filter(pl.col("split") == "train")
        times = rows["timestamp"].drop_nulls().sort()
        if not len(times):
            raise SplitError("windows: no interaction has a timestamp")
        inner = [int(times[len(times) * number // count]) for number in range(1, count)]
        ends = (*inner, int(times[-1]) + 1)
        if len({int(times[0]), *ends}) <= count:
            raise SplitError(f"windows: expected time for {count}, one of them is empty")
        return cls(ends)

    def before_last(self, windows: int) -> int:
        """Give the moment so many windows before the last one begins."""
        return self.ends[-2 - windows]

    @property
    def held_days(self) -> float:
        """Length of the last window, half a second more than it is, against rounding."""
        return (self.ends[-1] - self.ends[-2] + 0.5) / DAY_S


def foundation_age(windows: Windows, ages: Sequence[int] = AGES) -> tuple[Variant, ...]:
    """List foundations of several ages, under towers as new as the cases and as old as they."""
    held = windows.held_days
    count = len(windows.ends)
    rows = [
        Variant(
            name=DEFAULT,
            meaning=f"everything knows all before {_day(windows.before_last(0))}",
            view=View(held_days=held),
        )
    ]
    for age in ages:
        if age == 0:
            continue
        problem = "" if age + 2 <= count else f"there are only {count} windows"
        until = windows.before_last(age) if not problem else windows.ends[0]
        days = (windows.before_last(0) - until) / DAY_S
        when = f"foundation of {_day(until)}, {days:.0f} days old"
        for name, towers in (("fresh", None), ("old", until)):
            rows.append(
                Variant(
                    name=f"age-{age}-towers-{name}",
                    meaning=f"{when}, towers {'as old' if towers else 'fresh'}",
                    view=View(held_days=held, graph_until=until, towers_until=towers),
                    problem=problem,
                )
            )
    return tuple(rows)


def _day(moment: int) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).date().isoformat()
