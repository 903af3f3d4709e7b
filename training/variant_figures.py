"""Ranks of several variants over the same cases -> figures and differences with intervals."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.ranks import ABSENT, Ranks
from training.slices import OVERALL, SEPARATOR, Slice, split_into_slices
from training.variant_runs import Comparison

METRICS = (metrics.HIT_RATE, metrics.MRR_ALL)
REPLICATES = 1000
_UNSEEN = ("unseen", "unseen alone")


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
    figure: Figure
    differences: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Write the row as it stands in the JSON file."""
        return asdict(self)


def figures(found: Comparison) -> list[Row]:
    """Measure every model on the slices that all of its cases took part in."""
    rows = []
    for part in _slices(found):
        values = {
            key: _values(ranks, part, found)
            for key, ranks in found.ranks.items()
            if (ranks[0][part.scope] != ABSENT)[part.chosen].all()
        }
        for variant in found.variants:
            for model in variant.models:
                if (variant.name, model) in values:
                    rows += _rows(variant.name, model, part, values, found)
    return rows


def _slices(found: Comparison) -> list[Slice]:
    """Take the whole and the unseen items, in their type and alone, and each type of these."""
    types = found.candidates.item_types
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


def _rows(
    variant: str,
    model: str,
    part: Slice,
    values: dict[tuple[str, str], NDArray[np.float64]],
    found: Comparison,
) -> list[Row]:
    own = values[variant, model]
    entry = next(each for each in found.variants if each.name == variant)
    compared = [
        (each, _figures(own - values[each.variant, each.model]))
        for each in entry.references(model)
        if (each.variant, each.model) in values
    ]
    return [
        Row(
            variant,
            model,
            part.name,
            metric,
            own.shape[1],
            figure,
            tuple(Difference(each.variant, each.model, gain[place]) for each, gain in compared),
        )
        for place, (metric, figure) in enumerate(zip(METRICS, _figures(own), strict=True))
    ]


def _figures(values: NDArray[np.float64]) -> list[Figure]:
    """Average over users and seeds. Shapes: values (seeds, U, metrics)."""
    per_user = values.mean(axis=0)  # (U, metrics)
    estimate = metrics.bootstrap(per_user, np.ones_like(per_user), replicates=REPLICATES, seed=0)
    per_seed = values.mean(axis=1)  # (seeds, metrics)
    return [
        Figure(
            float(estimate.value[place]),
            float(estimate.low[place]),
            float(estimate.high[place]),
            tuple(per_seed[:, place].tolist()),
            float(per_seed[:, place].std(ddof=1)) if len(per_seed) > 1 else None,
        )
        for place in range(per_user.shape[1])
    ]
