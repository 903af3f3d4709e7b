"""What a run is made from."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

from training.settings import Settings
from training.view import View


@dataclass(frozen=True)
class Inputs:
    """What a run is made from."""

    data: Path
    """Folder of the data set, as the data contract says."""
    holding: str
    """A key of `training.holdings.HOLDINGS`."""
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
        """The same of the graph, which sees nothing of people but what they did."""
        graph = dataclasses.replace(self.view, without_people=False)
        return _named(self.holding, graph)


def _named(holding: str, view: View) -> str:
    return f"{holding}; {view.described}" if view.described else holding
