"""What a run is made from, and the ways to cut its data set."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import get_args

from graph.dataset import Dataset
from graph.roles import HoldOutRule, Rule
from graph.split import Split, hold_out, keep_all
from training.settings import Settings
from training.view import View

Holding = Callable[[Dataset, int], Split]
"""How a run cuts its data set: data set and seed -> split."""


def _hold_out_by(rule: HoldOutRule, dataset: Dataset, seed: int) -> Split:
    return hold_out(dataset, rule, seed=seed)


HOLDINGS: dict[str, Holding] = {
    "nothing": lambda dataset, seed: keep_all(dataset, seed=seed),
    "test": lambda dataset, seed: hold_out(dataset, seed=seed),
    **{f"test by {rule}": partial(_hold_out_by, HoldOutRule(rule)) for rule in get_args(Rule)},
}
"""`nothing` learns from all that may be learned from; `test` keeps the cases to report, as the data
set says or by a rule of `graph.roles`."""


@dataclass(frozen=True)
class Inputs:
    """What a run is made from."""

    data: Path
    """Folder of the data set, as the data contract says."""
    holding: str
    """A key of `HOLDINGS`."""
    settings: Settings
    strict: bool = False
    as_of: int | None = None
    """Unix seconds; nothing later is read."""
    view: View = field(default_factory=View)
    """What else is kept from the run, for comparison."""

    @property
    def part(self) -> str:
        """What the towers learn from and what is asked, in words."""
        return _named(self.holding, self.view)

    @property
    def graph_part(self) -> str:
        """The same of the graph, which does not see until when the towers may look."""
        return _named(self.holding, dataclasses.replace(self.view, towers_until=None))


def _named(holding: str, view: View) -> str:
    return f"{holding}; {view.described}" if view.described else holding
