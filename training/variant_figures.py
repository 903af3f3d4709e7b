"""Ranks of several variants over the same cases -> figures and differences with intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.ranks import ABSENT, Ranks
from training.slices import (
    OVERALL,
    SEPARATOR,
    UNSEEN,
    UNSEEN_ALONE,
    Slice,
    split_into_slices,
    type_names,
)
from training.variant_runs import Comparison

METRICS = (metrics.HIT_RATE, metrics.MRR_ALL)
REPLICATES = 1000
_UNSEEN = (UNSEEN, UNSEEN_ALONE)


@dataclass(frozen=True)
class Figure:
    """A mean over users; with several seeds, of each user's mean over the seeds."""

    value: float
    low: float
    """Lower end of the 95% bootstrap interval over users."""
    high: float
    per_seed: tuple[float, ...]
    spread: float | None
    """Standard deviation over the seeds; None for one seed."""


@dataclass(frozen=True)
class Difference:
    """A model less what it is compared with, user by user, seed by seed."""

    variant: str
    model: str
    figure: Figure


@dataclass(frozen=True)
class Row:
    """What one model of a variant reached in one metric on one slice."""

    variant: str
    model: str
    slice: str
    metric: str
    users: int
    items: int
    """How many items the lists are drawn from."""
    figure: Figure
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Write the row as it stands in the JSON file."""
        return asdict(self)


def figures(found: Comparison) -> list[Row]:
    """Measure every model on the slices that all of its cases took part in."""
    return [row for part in _slices(found) for row in _rows(part, found)]


def _rows(part: Slice, found: Comparison) -> Iterator[Row]:
    """Measure one slice: models and differences all together, for they share the drawn users."""
    values = {
        key: _values(ranks, part, found)
        for key, ranks in found.ranks.items()
        if (ranks[0][part.scope] != ABSENT)[part.chosen].all()
    }
    compared = {
        (variant.name, model): [
            each for each in variant.references(model) if (each.variant, each.model) in values
        ]
        for variant in found.variants
        for model in variant.models
        if (variant.name, model) in values
    }
    gains = [
        values[key] - values[each.variant, each.model]
        for key, references in compared.items()
        for each in references
    ]
    measured = _figures([*(values[key] for key in compared), *gains])
    owns, differences = iter(measured[: len(compared)]), iter(measured[len(compared) :])
    for (variant, model), references in compared.items():
        own = next(owns)
        against = [(each, next(differences)) for each in references]
        users = values[variant, model].shape[1]
        for place, metric in enumerate(METRICS):
            gained = (Difference(e.variant, e.model, gain[place]) for e, gain in against)
            yield Row(
                variant, model, part.name, metric, users, part.pool_size, own[place], tuple(gained)
            )


def _slices(found: Comparison) -> list[Slice]:
    """Take the whole and the unseen items, in their type and alone, and each type of these."""
    types = type_names(found.candidates.item_types)
    unseen = [f"{whole}{SEPARATOR}{name}" for whole in _UNSEEN for name in types]
    wanted = {OVERALL, *types, *_UNSEEN, *unseen}
    slices = split_into_slices(found.cases, found.candidates)
    return [each for each in slices if each.name in wanted]


def _values(ranks: Sequence[Ranks], part: Slice, found: Comparison) -> NDArray[np.float64]:
    """Compute each user's metrics. Shapes: returns (seeds, U, metrics)."""
    pool = found.candidates.item_type[found.cases.target[part.chosen]]
    user = found.cases.user_row[part.chosen]
    columns = [metrics.USER_METRICS.index(metric) for metric in METRICS]
    return np.stack(
        [
            metrics.user_values(each[part.scope][part.chosen], user, pool).values[:, columns]
            for each in ranks
        ]
    )


def _figures(arrays: Sequence[NDArray[np.float64]]) -> list[list[Figure]]:
    """Average over users and seeds.

    Shapes:
        arrays: (seeds, U, metrics) each; returns a figure per array and metric.
    """
    if not arrays:
        return []
    per_user = np.concatenate([each.mean(axis=0) for each in arrays], axis=1)
    estimate = metrics.bootstrap(per_user, np.ones_like(per_user), replicates=REPLICATES, seed=0)
    ends = zip(estimate.value, estimate.low, estimate.high, strict=True)
    return [
        [_figure(next(ends), each[:, :, place].mean(axis=1)) for place in range(len(METRICS))]
        for each in arrays
    ]


def _figure(
    ends: tuple[np.float64, np.float64, np.float64], per_seed: NDArray[np.float64]
) -> Figure:
    value, low, high = map(float, ends)
    spread = float(per_seed.std(ddof=1)) if len(per_seed) > 1 else None
    return Figure(value, low, high, tuple(per_seed.tolist()), spread)
