"""A model's figure in every headline slice, in one line: what is read first."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from training import metrics
from training.measurement import CASES, UNSEEN_ITEMS, Measurement
from training.report import BLANK, Table, count_unseen, headlines, signed

_Cells = Mapping[tuple[str, str], Measurement]
"""By model and slice."""


def summary(
    measurements: Sequence[Measurement], differences: Iterable[Measurement] = ()
) -> tuple[Table, ...]:
    """Lay out HR@10 by model and slice, and the same of the differences where there are any.

    Recall@10 has a table of its own where it is something else, that is where users have several
    targets. Slices of a slice are left out; the header tells each slice's users, and how many items
    compete where these are the unseen ones alone.
    """
    unseen = {each.slice: each for each in measurements if each.metric == UNSEEN_ITEMS}
    slices = {
        name: f", {count_unseen(unseen[name])}" if name in unseen else ""
        for name in headlines(measurements)
    }
    hits, recalls = _cells(measurements, metrics.HIT_RATE), _cells(measurements, metrics.RECALL)
    laid_out = [_table(f"{metrics.HIT_RATE} by slice", "model", hits, slices, _value)]
    if any(recalls[each].value != hits[each].value for each in recalls.keys() & hits.keys()):
        title = f"{metrics.RECALL} by slice"
        laid_out.append(_table(title, "model", recalls, slices, _value))
    gains = _cells(differences, metrics.HIT_RATE)
    if gains:
        title = f"{metrics.HIT_RATE} by slice: differences, user by user"
        laid_out.append(_table(title, "model - other", gains, slices, signed))
    return tuple(laid_out)


def _cells(measurements: Iterable[Measurement], metric: str) -> _Cells:
    return {
        (each.model, each.slice): each
        for each in measurements
        if each.metric == metric and each.model != CASES
    }


def _table(
    title: str,
    first: str,
    cells: _Cells,
    slices: Mapping[str, str],
    write: Callable[[Measurement], str],
) -> Table:
    """Lay out a column per slice; `slices` says what the header adds to each one's users."""
    models = dict.fromkeys(model for model, _ in cells)
    there = [name for name in slices if any(part == name for _, part in cells)]
    users = {
        name: next(e.users for (_, part), e in cells.items() if part == name) for name in there
    }
    header = (first, *(f"{name} ({users[name]:,}{slices[name]})" for name in there))
    rows = (
        (
            model,
            *(write(cells[model, name]) if (model, name) in cells else BLANK for name in there),
        )
        for model in models
    )
    return Table(title, header, tuple(rows))


def _value(each: Measurement) -> str:
    return f"{each.value:.4f}"
