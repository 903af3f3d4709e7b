"""The ways to cut a data set into what is learned from and what is asked."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import get_args

from graph.split import Split, hold_out, keep_all
from tables.dataset import Dataset
from tables.roles import Rule

Holding = Callable[[Dataset, int], Split]
"""How a run cuts its data set: data set and seed -> split."""


def _hold_out_by(rule: Rule, dataset: Dataset, seed: int) -> Split:
    """Hold out by another rule than the data set's; its `days` stay what it says."""
    return hold_out(dataset, dataclasses.replace(dataset.hold_out, rule=rule), seed=seed)


HOLDINGS: dict[str, Holding] = {
    "nothing": lambda dataset, seed: keep_all(dataset, seed=seed),
    "test": lambda dataset, seed: hold_out(dataset, seed=seed),
    **{f"test by {rule}": partial(_hold_out_by, rule) for rule in get_args(Rule)},
}
"""`nothing` learns from all that may be learned from; `test` keeps the cases to report, as the data
set says or by a rule of `tables.roles`."""
