"""What `python -m training.ablations` and `python -m training.curves` do."""

import argparse
from collections.abc import Callable

from training.ablation_rows import ablations
from training.comparing import base_of, conclude, default_run
from training.curve_rows import Windows, foundation_age, unseen_items
from training.guarded import guarded


def ablate(options: argparse.Namespace) -> int:
    """Measure the ablations; 0 when done, 1 with a message on standard error."""
    return guarded("ablations", lambda: _ablate(options), options)


def draw_curve(options: argparse.Namespace) -> int:
    """Measure one of the curves; 0 when done, 1 with a message on standard error."""
    return guarded("curves", lambda: _CURVES[options.command](options), options)


def _ablate(options: argparse.Namespace) -> None:
    base = base_of(options, f"test by {options.protocol}" if options.protocol else "test")
    run = default_run(base, options)
    run.make_graph()
    conclude(base, options, "ablations", "Ablations", ablations(run.dataset, run.graph))


def _unseen_items(options: argparse.Namespace) -> None:
    base = base_of(options, "test by unseen-items")
    run = default_run(base, options)
    run.make_graph()
    conclude(base, options, "unseen-items", "Unseen items", unseen_items(run.graph))


def _foundation_age(options: argparse.Namespace) -> None:
    base = base_of(options, "test by time")
    windows = Windows.of(default_run(base, options).whole, options.windows)
    rows = foundation_age(windows, options.ages)
    conclude(base, options, "foundation-age", "Age of the foundation", rows)


_CURVES: dict[str, Callable[[argparse.Namespace], None]] = {
    "unseen-items": _unseen_items,
    "foundation-age": _foundation_age,
}
