"""One line of the table of `make bench`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    """What it is held to; None where it is told for its own sake."""
    least: bool = True
    """Whether the bar is the least it may be, or the most."""

    @property
    def met(self) -> bool | None:
        """Whether it reaches its bar; None without one."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.least else self.value <= self.bar
