"""Measurements -> what the drawings ask for: one number, or those of all models."""

from collections.abc import Iterable, Mapping
from functools import cached_property

from training.measurement import CASES, Measurement
from training.slices import OVERALL

BETWEEN = " - "
"""Stands between the two models of a difference."""


class Numbers:
    """The measurements of an evaluation, to look up.

    `served` is the model that stands out, None where it was not evaluated.
    """

    def __init__(
        self,
        measurements: Iterable[Measurement],
        differences: Iterable[Measurement],
        models: tuple[str, ...],
        served: str | None,
    ) -> None:
        self.measurements = tuple(measurements)
        self.differences = tuple(differences)
        self.models = models
        self.served = served if served in models else None

    @cached_property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices, in the order in which they were measured."""
        return tuple(dict.fromkeys(each.slice for each in self.measurements))

    @property
    def headline(self) -> str:
        """Name the slice that stands for the whole: all familiar targets, where there are some."""
        return OVERALL if OVERALL in self.slices else self.slices[0]

    @cached_property
    def _found(self) -> Mapping[tuple[str, str, str], Measurement]:
        return {(each.model, each.slice, each.metric): each for each in self.measurements}

    def of(self, model: str, part: str, metric: str) -> Measurement | None:
        """Give one measurement, None if it was not taken."""
        return self._found.get((model, part, metric))

    def of_cases(self, part: str, metric: str) -> Measurement | None:
        """Give one measurement of the cases."""
        return self.of(CASES, part, metric)

    def by_model(self, part: str, metric: str) -> dict[str, Measurement]:
        """Give a metric of every model that has it."""
        found = {model: self.of(model, part, metric) for model in self.models}
        return {model: each for model, each in found.items() if each is not None}

    def gains(self, part: str, metric: str) -> dict[str, Measurement]:
        """Give what the served model gains over each other one."""
        return {
            each.model.removeprefix(f"{self.served}{BETWEEN}"): each
            for each in self.differences
            if (each.slice, each.metric) == (part, metric)
        }

    def users(self, part: str) -> int:
        """How many users a slice has."""
        return max(each.users for each in self.measurements if each.slice == part)


def written(measurement: Measurement) -> str:
    """Write a number with its interval, as the text of a page has it."""
    if measurement.low is None or measurement.high is None:
        return f"{measurement.value:z.3f}"
    return f"{measurement.value:z.3f} [{measurement.low:z.3f}, {measurement.high:z.3f}]"
