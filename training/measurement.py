"""One number of an evaluation, what the numbers are called, and metrics.json."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tables.files import replace_text
from training import metrics

CASES = "(cases)"
"""Stands in a measurement's model where the number describes the cases and not a model."""
TIED = "tied targets"
REPEATED = "targets already seen"
"""Chosen or turned away before: nobody can find them."""
UNSEEN_ITEMS = "unseen items"
"""How many items the lists are drawn from, where these are the unseen ones alone."""
COVERAGE = {depth: f"coverage@{depth}" for depth in (metrics.TOP, metrics.DEPTH)}
POPULARITY = f"popularity@{metrics.TOP}"
"""Mean popularity percentile (`training.popularity`) of what is shown."""
GINI = f"Gini@{metrics.TOP}"
TARGET_POPULARITY = "popularity of targets"
"""The percentile of what was chosen, to read `POPULARITY` beside."""
MISCALIBRATION = f"miscalibration@{metrics.TOP}"
"""How far the shown types are from the consumed ones (`training.exposure`)."""
SHARE = f"share@{metrics.TOP}: "
"""Stands before the name of a type: its share of what is shown."""
HISTORY_SHARE = "share of histories: "
TARGET_SHARE = "share of targets: "
COMPARED = (metrics.HIT_RATE, metrics.NDCG, metrics.MRR_ALL)
"""The metrics by which models are compared user by user."""
MEASURED = (*metrics.USER_METRICS, POPULARITY, *COVERAGE.values(), GINI)
"""Every metric that a model has on every slice, in the order of the tables."""


@dataclass(frozen=True)
class Measurement:
    """One number of one model on one slice, as it stands in metrics.json.

    The model "A - B" stands for the difference between A and B, taken user by user.
    """

    model: str
    slice: str
    metric: str
    value: float
    low: float | None
    """Lower end of the 95% bootstrap interval over users; None for a count without one."""
    high: float | None
    """Upper end."""
    users: int
    """How many users the number is taken over."""


def write_metrics(path: Path, measurements: Iterable[Measurement]) -> None:
    """Write metrics.json: a list of {model, slice, metric, value, low, high, users}."""
    records = [asdict(measurement) for measurement in measurements]
    replace_text(path, json.dumps(records, indent=1, allow_nan=False) + "\n")
