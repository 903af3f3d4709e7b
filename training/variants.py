"""Ways to make and evaluate a run that differ in one thing, to be compared user by user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from training.errors import TrainingError
from training.settings import Settings, changed
from training.view import View

DEFAULT = "default"
"""Name of the variant that the others are compared with."""
TOWERS = ("2t-hgnn", "nearfield")
"""Models that have to be made anew where only the towers differ."""
ALL_LAYERS = ("hgnn-knn", *TOWERS)
"""Models that have to be made anew where the graph or the foundation differs."""


@dataclass(frozen=True)
class Reference:
    """What a model is compared with: a model of a variant."""

    variant: str
    model: str


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row of a comparison."""

    name: str
    """Also the name of its folder and on the command line."""
    meaning: str
    """What differs from the default, in a few words."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Nested tables as in a file of settings."""
    view: View = field(default_factory=View)
    models: tuple[str, ...] = ALL_LAYERS
    """Keys of `training.ranks.RANKED`."""
    against: str = ""
    """The default's model that each of the models is compared with; "" for the one of its name."""
    besides: tuple[str, ...] = ()
    """Other variants whose model of the same name each is compared with too."""
    problem: str = ""
    """Why the data set says nothing about it; "" where it does."""

    def settings(self, base: Settings, seed: int) -> Settings:
        """Apply the changes, and the seed to everything but the data: cases stay the same.

        Raises:
            TrainingError: the changes have no meaning.
        """
        seeds = {part: {"seed": seed} for part in ("foundation", "adaptation", "fusion")}
        return changed(changed(base, self.changes, self.name), seeds, self.name)

    def references(self, model: str) -> tuple[Reference, ...]:
        """Give what a model is compared with; in the default itself that is its towers."""
        if self.name == DEFAULT:
            return () if model == "2t-hgnn" else (Reference(DEFAULT, "2t-hgnn"),)
        others = (Reference(name, model) for name in self.besides)
        return (Reference(DEFAULT, self.against or model), *others)


def choose(variants: Sequence[Variant], names: Sequence[str]) -> tuple[Variant, ...]:
    """Take the named variants and those that they are compared with, in the given order.

    Raises:
        TrainingError: there is no variant of a name.
    """
    known = {variant.name: variant for variant in variants}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise TrainingError(f"unknown {unknown[0]!r}, expected some of {','.join(known)}")
    wanted = {DEFAULT, *names}
    wanted |= {other for name in names for other in known[name].besides}
    return tuple(variant for variant in variants if variant.name in wanted)
