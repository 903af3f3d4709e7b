"""Measurements -> readable tables, in Markdown and for the terminal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tables.files import replace_text
from training import metrics
from training.measurement import (
    CASES,
    COMPARED,
    GINI,
    HISTORY_SHARE,
    MEASURED,
    MISCALIBRATION,
    POPULARITY,
    REPEATED,
    SHARE,
    TARGET_SHARE,
    TIED,
    UNSEEN_ITEMS,
    Measurement,
)
from training.slices import SEPARATOR

BLANK = "-"


@dataclass(frozen=True)
class Table:
    """One slice: a row per model or pair, a column per metric, every cell already text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(
    measurements: Iterable[Measurement],
    differences: Iterable[Measurement] = (),
    *,
    slices: Collection[str] | None = None,
) -> tuple[Table, ...]:
    """Lay out one table per slice, in the order in which slices and models first appear.

    The title tells how many users there are, what share of their targets is tied in time, and how
    many items compete where these are the unseen ones alone.
    Recall has a column only where it differs from HR, that is where users have several targets.
    A slice that `differences` speak of has a second table with them, one whose lists hold all
    types another with their mix. `slices` limits the tables to those names.
    """
    compared = _by_slice(differences)
    laid_out = []
    for name, models in _by_slice(measurements).items():
        if slices is None or name in slices:
            laid_out.append(_table(name, models))
            if name in compared:
                laid_out.append(_difference_table(name, compared[name]))
            if any(MISCALIBRATION in found for found in models.values()):
                laid_out.append(_mix_table(name, models))
    return tuple(laid_out)


def headlines(measurements: Iterable[Measurement]) -> tuple[str, ...]:
    """Name the slices that are not slices of a slice: what fits on a screen."""
    names = dict.fromkeys(each.slice for each in measurements)
    return tuple(name for name in names if SEPARATOR not in name)


def counted(number: int, noun: str) -> str:
    """Say how many there are."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def count_unseen(items: Measurement) -> str:
    """Say how many unseen items a target competes with, itself among them."""
    return f"among {counted(round(items.value), 'unseen item')}"


def to_markdown(laid_out: Iterable[Table]) -> str:
    """Write tables as Markdown, a third-level heading over each."""
    blocks = []
    for table in laid_out:
        header, *rows = [tuple(map(_escaped, row)) for row in (table.header, *table.rows)]
        widths = _widths((header, *rows))
        rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        lines = [f"| {' | '.join(_aligned(row, widths))} |" for row in (header, rule, *rows)]
        blocks.append("\n".join([f"### {_one_line(table.title)}", "", *lines]))
    return "\n\n".join(blocks) + "\n"


def to_terminal(laid_out: Iterable[Table]) -> str:
    """Write tables as plain text with aligned columns."""
    blocks = []
    for table in laid_out:
        widths = _widths((table.header, *table.rows))
        rule = ["-" * width for width in widths]
        lines = ["  ".join(_aligned(row, widths)) for row in (table.header, rule, *table.rows)]
        blocks.append("\n".join([table.title, "", *lines]))
    return "\n\n".join(blocks) + "\n"


def write_markdown(path: Path, laid_out: Iterable[Table], introduction: str) -> None:
    """Write a line and tables below it to a Markdown file, beside and renamed."""
    replace_text(path, f"{introduction}\n\n{to_markdown(laid_out)}")


def _by_slice(
    measurements: Iterable[Measurement],
) -> dict[str, dict[str, dict[str, Measurement]]]:
    """Group measurements by slice, model and metric."""
    by_slice: dict[str, dict[str, dict[str, Measurement]]] = {}
    for each in measurements:
        models = by_slice.setdefault(each.slice, {})
        models.setdefault(each.model, {})[each.metric] = each
    return by_slice


def _table(name: str, models: Mapping[str, Mapping[str, Measurement]]) -> Table:
    described = models.get(CASES, {})
    shown = {model: found for model, found in models.items() if model != CASES}
    columns = [metric for metric in MEASURED if _worth_a_column(metric, shown.values())]
    header = ("model", *(f"{c} [95%]" if c in COMPARED else c for c in columns))
    rows = tuple(
        (model, *(_cell(found.get(column)) for column in columns)) for model, found in shown.items()
    )
    return Table(title=_title(name, described, shown), header=header, rows=rows)


def _difference_table(name: str, pairs: Mapping[str, Mapping[str, Measurement]]) -> Table:
    users = max(each.users for found in pairs.values() for each in found.values())
    return Table(
        title=f"{name}: differences, user by user ({counted(users, 'user')})",
        header=("model - other", *(f"{metric} [95%]" for metric in COMPARED)),
        rows=tuple(
            (pair, *(signed(found[metric]) for metric in COMPARED)) for pair, found in pairs.items()
        ),
    )


def _mix_table(name: str, models: Mapping[str, Mapping[str, Measurement]]) -> Table:
    described = models.get(CASES, {})
    types = [
        metric.removeprefix(TARGET_SHARE) for metric in described if metric.startswith(TARGET_SHARE)
    ]
    rows = [
        (label, *(_share(described.get(prefix + each)) for each in types), BLANK)
        for label, prefix in (("(histories)", HISTORY_SHARE), ("(targets)", TARGET_SHARE))
    ]
    for model, found in models.items():
        if model != CASES:
            shares = (_share(found.get(SHARE + each)) for each in types)
            rows.append((model, *shares, _with_interval(found.get(MISCALIBRATION))))
    return Table(
        title=f"{name}: types in the top {metrics.TOP}, and consumed",
        header=("model", *types, f"{MISCALIBRATION} [95%]"),
        rows=tuple(rows),
    )


def signed(difference: Measurement) -> str:
    """Write a difference with its interval."""
    return f"{difference.value:+z.4f} [{difference.low:+z.4f}, {difference.high:+z.4f}]"


def _worth_a_column(metric: str, models: Iterable[Mapping[str, Measurement]]) -> bool:
    if metric != metrics.RECALL:
        return True
    return any(
        found[metrics.RECALL].value != found[metrics.HIT_RATE].value
        for found in models
        if metrics.RECALL in found and metrics.HIT_RATE in found
    )


def _title(
    name: str,
    described: Mapping[str, Measurement],
    shown: Mapping[str, Mapping[str, Measurement]],
) -> str:
    counts = [each.users for found in (described, *shown.values()) for each in found.values()]
    parts = [counted(max(counts), "user")]
    if UNSEEN_ITEMS in described:
        parts.append(count_unseen(described[UNSEEN_ITEMS]))
    if TIED in described:
        parts.append(f"{described[TIED].value:.0%} {TIED}")
    if REPEATED in described and described[REPEATED].value > 0:
        parts.append(f"{described[REPEATED].value:.1%} {REPEATED}")
    return f"{name} ({', '.join(parts)})"


def _cell(measurement: Measurement | None) -> str:
    if measurement is None:
        return BLANK
    if measurement.metric.startswith("coverage"):
        return f"{measurement.value:.1%}"
    if measurement.metric in (POPULARITY, GINI):
        return f"{measurement.value:.3f}"
    if measurement.metric in COMPARED:
        return _with_interval(measurement)
    return f"{measurement.value:.4f}"


def _share(measurement: Measurement | None) -> str:
    return BLANK if measurement is None else f"{measurement.value:.1%}"


def _with_interval(measurement: Measurement | None) -> str:
    if measurement is None:
        return BLANK
    text = f"{measurement.value:.4f}"
    if measurement.low is not None:
        text += f" [{measurement.low:.4f}, {measurement.high:.4f}]"
    return text


def _escaped(cell: str) -> str:
    """Write a cell so that nothing in it ends the cell or the row."""
    return _one_line(cell).replace("|", "\\|")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    columns = zip(*rows, strict=True)
    return [max(len(cell) for cell in column) for column in columns]


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    first, *rest = zip(cells, widths, strict=True)
    return [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
