"""The same evaluation under several seeds: what a figure is on average, and how far it moves.

A seed is that of everything drawn: ties and what is held out, the networks, the peers and which of
their settings are tried. Intervals over users say nothing of that.
"""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tables.files import replace_text
from training.measurement import CASES, COMPARED, Measurement
from training.report import BLANK, Table, headlines, to_markdown

NAME = "seeds"


@dataclass(frozen=True)
class Spread:
    """One figure of one model on one slice under every seed, as it stands in seeds.json."""

    model: str
    """"A - B" is a difference, taken user by user under each seed."""
    slice: str
    metric: str
    mean: float
    deviation: float
    """Standard deviation over the seeds."""
    per_seed: tuple[float, ...]


def spreads(found: Sequence[Iterable[Measurement]]) -> tuple[Spread, ...]:
    """Put together what was measured under every seed, in the first one's order.

    What is there under some seeds alone, as a model whose every fit failed under one, is left out.
    """
    values: list[dict[tuple[str, str, str], float]] = [
        {(each.model, each.slice, each.metric): each.value for each in one} for one in found
    ]
    everywhere = [key for key in values[0] if all(key in one for one in values)]
    return tuple(_spread(key, tuple(one[key] for one in values)) for key in everywhere)


def _spread(key: tuple[str, str, str], values: tuple[float, ...]) -> Spread:
    return Spread(*key, statistics.fmean(values), statistics.stdev(values), values)


def write_seeds(folder: Path, found: Mapping[int, Sequence[Measurement]]) -> Path:
    """Write seeds.json and seeds.md into a folder, each beside and renamed; return the latter."""
    measured = spreads(list(found.values()))
    content = {"seeds": list(found), "figures": [asdict(each) for each in measured]}
    replace_text(folder / f"{NAME}.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    page = folder / f"{NAME}.md"
    slices = headlines(next(iter(found.values())))
    laid_out = [_table(metric, measured, slices) for metric in COMPARED]
    replace_text(page, f"{_introduction(found)}\n\n{to_markdown(laid_out)}")
    return page


def _introduction(seeds: Iterable[int]) -> str:
    return (
        f"Seeds: {', '.join(map(str, seeds))}. Each seed holds out, trains and tunes by itself; "
        "its own tables, with intervals over users, are in the folder of its name. A cell is the "
        "mean over the seeds ± their standard deviation; a row A - B is a difference user by user."
    )


def _table(metric: str, measured: Iterable[Spread], slices: Sequence[str]) -> Table:
    rows: dict[str, dict[str, Spread]] = {}
    for each in measured:
        if each.metric == metric and each.model != CASES:
            rows.setdefault(each.model, {})[each.slice] = each
    there = [name for name in slices if any(name in row for row in rows.values())]
    return Table(
        title=f"{metric} by slice",
        header=("model", *there),
        rows=tuple((name, *(_cell(row.get(each)) for each in there)) for name, row in rows.items()),
    )


def _cell(each: Spread | None) -> str:
    if each is None:
        return BLANK
    sign = "+z" if " - " in each.model else ""
    return f"{each.mean:{sign}.4f} ± {each.deviation:.4f}"
