"""The figures of a comparison -> a JSON file and Markdown tables."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tables.files import replace_text
from training.report import Table, counted, to_markdown
from training.slices import SEPARATOR, UNSEEN_ALONE
from training.variant_figures import METRICS, Figure, Row
from training.variant_runs import Comparison

_BLANK = "-"


def write_comparison(
    folder: Path, name: str, title: str, found: Comparison, rows: Sequence[Row]
) -> Path:
    """Write `name`.json and `name`.md into a folder, each beside and renamed; return the latter."""
    content = {
        "hold_out": found.rule,
        "cases": len(found.cases),
        "seeds": found.seeds,
        "variants": [
            {
                "name": variant.name,
                "meaning": variant.meaning,
                "changes": variant.changes,
                "view": asdict(variant.view),
                "models": variant.models,
                "problem": found.problems.get(variant.name, ""),
            }
            for variant in found.variants
        ],
        "rows": [row.to_json() for row in rows],
    }
    replace_text(folder / f"{name}.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    page = folder / f"{name}.md"
    laid_out = [_variants(found), *_slices(rows)]
    replace_text(page, f"## {title}\n\n{_introduction(found)}\n\n{to_markdown(laid_out)}")
    return page


def _introduction(found: Comparison) -> str:
    seeds = ", ".join(map(str, found.seeds))
    several = len(found.seeds) > 1
    spread = "; ± is the standard deviation over the seeds" if several else ""
    chance = "exceeds ± too" if several else "would also hold with other seeds (SEEDS=0,1,2)"
    return (
        f"Hold-out: {found.rule}. Seeds of training: {seeds}{spread}. Targets are ranked inside "
        "their item type. Intervals are 95% bootstrap intervals over users alone: what another "
        "seed of training would change is not in them. Differences are taken user by user on the "
        f"same cases; one says something where its interval leaves out 0 and it {chance}."
    )


def _variants(found: Comparison) -> Table:
    rows = tuple(
        (variant.name, variant.meaning, _taking_part(variant.name, found))
        for variant in found.variants
    )
    return Table("Rows", ("row", "what differs", "takes part"), rows)


def _taking_part(name: str, found: Comparison) -> str:
    if name in found.problems:
        return f"no: {_one_line(found.problems[name])}"
    return "yes" if any(variant == name for variant, _ in found.ranks) else "not yet"


def _slices(rows: Sequence[Row]) -> list[Table]:
    """Lay out a table per slice that is not a slice of a slice: a line per model and reference."""
    by_slice: dict[str, dict[tuple[str, str], list[Row]]] = {}
    for row in rows:
        if SEPARATOR in row.slice:
            continue
        lines = by_slice.setdefault(row.slice, {})
        lines.setdefault((row.variant, row.model), []).append(row)
    tables = []
    for name, lines in by_slice.items():
        laid_out = [line for of_model in lines.values() for line in _lines(of_model)]
        measured = [f"{each} [95%]" for each in METRICS]
        gains = [f"Δ {each} [95%]" for each in METRICS]
        header = ("row", "model", *measured, "less", *gains)
        title = f"{name} ({_described(next(iter(lines.values()))[0])})"
        tables.append(Table(title, header, tuple(laid_out)))
    return tables


def _described(row: Row) -> str:
    users = counted(row.users, "user")
    if row.slice != UNSEEN_ALONE:
        return users
    return f"{users}, among {counted(row.items, 'unseen item')}"


def _lines(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Write a model's metrics, and below each other what it is compared with."""
    first = (rows[0].variant, rows[0].model, *(_value(row.figure) for row in rows))
    compared = [
        (
            f"{each.variant} / {each.model}",
            *(_gain(row.differences[number].figure) for row in rows),
        )
        for number, each in enumerate(rows[0].differences)
    ] or [(_BLANK,) * (1 + len(rows))]
    again = (*first[:2], *[""] * len(rows))
    return [(*(first if place == 0 else again), *line) for place, line in enumerate(compared)]


def _value(figure: Figure) -> str:
    return f"{figure.value:.4f}{_spread(figure)} [{figure.low:.4f}, {figure.high:.4f}]"


def _gain(figure: Figure) -> str:
    ends = f"[{figure.low:+z.4f}, {figure.high:+z.4f}]"
    return f"{figure.value:+z.4f}{_spread(figure)} {ends}"


def _spread(figure: Figure) -> str:
    return "" if figure.spread is None else f" ± {figure.spread:.4f}"


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")
