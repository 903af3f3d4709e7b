"""The log of a trained stage -> its curves."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from training.needs import needed_stages


@dataclass(frozen=True)
class Stage:
    """A stage of a run that is trained, and what it is scored by while it is."""

    folder: str
    title: str
    score: str


STAGES = (
    Stage("foundation", "Foundation", "minus held-out loss"),
    Stage("adaptation", "Towers", "MRR of validation"),
    Stage("two_tower", "Towers without graph", "MRR of validation"),
)


@dataclass(frozen=True)
class Curve:
    """What a stage's training looked like.

    Shapes:
        epoch: (E,) int64, 0 before any step. loss, score: (E,), NaN where there is none.
    """

    stage: Stage
    epoch: NDArray[np.int64]
    loss: NDArray[np.float64]
    score: NDArray[np.float64]

    @property
    def best(self) -> int:
        """The epoch whose weights were kept: the first of the best score, the last without one."""
        if np.isnan(self.score).all():
            return int(self.epoch[-1])
        return int(self.epoch[np.nanargmax(self.score)])


def trained_stages(run: Path, models: Iterable[str]) -> tuple[Stage, ...]:
    """Name the stages that some models, as the command line calls them, were trained in.

    Others may lie in the run too, left by another evaluation; they are not spoken of.
    """
    needed = needed_stages(models)
    return tuple(
        stage
        for stage in STAGES
        if stage.folder in needed and (run / stage.folder / "log.csv").exists()
    )


def read_curves(run: Path, stages: Iterable[Stage]) -> tuple[Curve, ...]:
    """Read the logs of some stages of a run folder."""
    curves = []
    for stage in stages:
        log = pl.read_csv(
            run / stage.folder / "log.csv",
            schema_overrides={"epoch": pl.Int64, "loss": pl.Float64, "score": pl.Float64},
        )
        loss, score = (log[name].fill_null(float("nan")).to_numpy() for name in ("loss", "score"))
        curves.append(Curve(stage, log["epoch"].to_numpy(), loss, score))
    return tuple(curves)
