"""Fitted rankers and held-out cases -> measurements by slice.

`training.ranking` says how targets are ranked, `training.metrics` what is computed from their
ranks, `training.delivered` what from the lists, `training.slices` which cases are taken together.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.cases import Cases
from training import metrics
from training.delivered import measure_delivered, pools
from training.errors import TrainingError
from training.measurement import (
    CASES,
    COMPARED,
    COVERAGE,
    MEASURED,
    REPEATED,
    TIED,
    UNSEEN_ITEMS,
    Measurement,
    write_metrics,
)
from training.ranking import Candidates, Ranker, Ranking, Scope, rank
from training.slices import Slice, split_into_slices

__all__ = [
    "CASES",
    "COMPARED",
    "COVERAGE",
    "MEASURED",
    "REPEATED",
    "TIED",
    "Evaluation",
    "EvaluationError",
    "EvaluationSettings",
    "Measurement",
    "evaluate",
    "write_metrics",
]


class EvaluationError(TrainingError):
    """The cases or the rankers cannot be evaluated together."""


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """How to evaluate; nothing here changes what a ranker answers."""

    replicates: int = 1000
    """Bootstrap draws; the interval's ends settle as it grows, time grows in proportion."""
    seed: int = 0
    """Seed of the bootstrap."""
    chunk: int = 512
    """Cases scored at a time; memory is a few float32 arrays of chunk x items."""


@dataclass(frozen=True)
class Evaluation:
    """All measurements, and the rankings behind them for comparisons user by user."""

    measurements: tuple[Measurement, ...]
    slices: tuple[Slice, ...]
    rankings: Mapping[str, Mapping[Scope, Ranking]]
    """By a ranker's name."""
    cases: Cases
    candidates: Candidates
    settings: EvaluationSettings

    def differences(self, model: str, slice_name: str) -> tuple[Measurement, ...]:
        """Subtract every other model from `model`, user by user, in each metric of `COMPARED`.

        What is hard about a user for every model cancels out, so these intervals tell models
        apart that the intervals of the means do not. Where one holds 0, the cases do not say
        which model is better.

        Raises:
            EvaluationError: no such model or slice.
        """
        slices = {part.name: part for part in self.slices}
        for name, known in ((model, self.rankings), (slice_name, slices)):
            if name not in known:
                raise EvaluationError(f"no {name!r} in this evaluation, only {sorted(known)}")
        others = [name for name in self.rankings if name != model]
        if not others:
            return ()
        ours = self._compared(model, slices[slice_name])
        gain = np.concatenate(
            [ours - self._compared(other, slices[slice_name]) for other in others], axis=1
        )  # (U, others * metrics)
        estimate = metrics.bootstrap(
            gain, np.ones_like(gain), replicates=self.settings.replicates, seed=self.settings.seed
        )
        names = [(f"{model} - {other}", metric) for other in others for metric in COMPARED]
        ends = zip(estimate.value, estimate.low, estimate.high, strict=True)
        return tuple(
            Measurement(pair, slice_name, metric, float(value), float(low), float(high), len(gain))
            for (pair, metric), (value, low, high) in zip(names, ends, strict=True)
        )

    def _compared(self, model: str, part: Slice) -> NDArray[np.float64]:
        """Give each user's values of the compared metrics. Shapes: returns (U, metrics)."""
        values = _values(self.rankings[model], part, self.cases, self.candidates).values
        return values[:, [metrics.USER_METRICS.index(metric) for metric in COMPARED]]


def evaluate(
    rankers: Iterable[Ranker],
    cases: Cases,
    candidates: Candidates,
    settings: EvaluationSettings | None = None,
    *,
    people: pl.DataFrame | None = None,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Evaluation:
    """Rank the targets with each ranker and measure every slice.

    The rankers are taken one after the other and not kept, so an iterator that fits each when
    asked holds only one in memory. `people` is the users table, for slices by country, age and
    gender. `on_progress` is called with a ranker's name, the cases done
    and their number.

    Raises:
        EvaluationError: no cases, no rankers, or two rankers of one name.
        RankingError: a ranker's scores cannot be ranked.
    """
    settings = settings or EvaluationSettings()
    if len(cases) == 0:
        raise EvaluationError("evaluation needs at least one held-out target, got none")
    slices = split_into_slices(cases, candidates, people)
    scopes = tuple(dict.fromkeys(part.scope for part in slices))

    def ranked(ranker: Ranker) -> tuple[str, dict[Scope, Ranking]]:
        report = None if on_progress is None else partial(on_progress, ranker.name)
        return ranker.name, rank(
            ranker, cases, candidates, scopes, chunk=settings.chunk, on_progress=report
        )

    rankings: dict[str, dict[Scope, Ranking]] = {}
    # Unlike a for statement over the rankers, map lets go of one before it asks for the next.
    for name, ranking in map(ranked, rankers):
        if name in rankings:
            raise EvaluationError(f"two rankers are called {name!r}; names must be unique")
        rankings[name] = ranking
    if not rankings:
        raise EvaluationError("evaluation needs at least one ranker, got none")
    measurements: list[Measurement] = []
    for part in slices:
        measurements += _describe(part, cases)
        values = [_values(each, part, cases, candidates) for each in rankings.values()]
        measurements += _means(part, tuple(rankings), values, settings)
        measurements += measure_delivered(
            part,
            rankings,
            cases,
            candidates,
            replicates=settings.replicates,
            seed=settings.seed,
        )
    return Evaluation(tuple(measurements), slices, rankings, cases, candidates, settings)


def _values(
    rankings: Mapping[Scope, Ranking], part: Slice, cases: Cases, candidates: Candidates
) -> metrics.UserValues:
    """A user has one list per type asked for, or one over all types."""
    pool = pools(part, cases.target[part.chosen], candidates)
    user = cases.user_row[part.chosen]
    return metrics.user_values(rankings[part.scope].rank[part.chosen], user, pool)


def _describe(part: Slice, cases: Cases) -> Iterator[Measurement]:
    users = len(np.unique(cases.user_row[part.chosen]))
    for metric, flags in ((TIED, cases.tied), (REPEATED, cases.repeated)):
        share = float(flags[part.chosen].mean())
        yield Measurement(CASES, part.name, metric, share, None, None, users)
    if part.scope is Scope.UNSEEN:
        size = float(part.pool_size)
        yield Measurement(CASES, part.name, UNSEEN_ITEMS, size, None, None, users)


def _means(
    part: Slice,
    models: Sequence[str],
    values: Sequence[metrics.UserValues],
    settings: EvaluationSettings,
) -> Iterator[Measurement]:
    """All models share the drawn users, so one draw serves the whole slice."""
    weights = np.concatenate([each.weights for each in values], axis=1)
    estimate = metrics.bootstrap(
        np.concatenate([each.values for each in values], axis=1),
        weights,
        replicates=settings.replicates,
        seed=settings.seed,
    )
    names = [(model, metric) for model in models for metric in metrics.USER_METRICS]
    users = (weights > 0).sum(axis=0)
    for column, (model, metric) in enumerate(names):
        if users[column]:  # a mean over users with a hit may have none
            value, low, high = (
                float(each[column]) for each in (estimate.value, estimate.low, estimate.high)
            )
            yield Measurement(model, part.name, metric, value, low, high, int(users[column]))
