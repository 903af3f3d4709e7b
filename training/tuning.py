"""A peer's settings, chosen among a few that are drawn, by what the validation part says.

Every peer has the same number of trials and the same time. A trial fits on the training part and
is scored by the mean reciprocal rank of the validation targets inside their type, history
excluded: the yardstick by which the towers stop early.
"""

import itertools
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from tqdm import tqdm

from graph.cases import Cases
from training.bounds import check_above_zero, check_least
from training.errors import DivergedError, FitError, NotLearningError, TrainingError
from training.metrics import UNRANKED
from training.ranking import Candidates, Ranker, RankingError, Scope, rank

Drawn = dict[str, Any]
"""One choice of a peer's settings: by name a number, a truth value or None."""
Fit = Callable[[Drawn, Path], Ranker]
"""Settings and a folder -> the fitted ranker. What it leaves in the folder, it finds there again:
with the same settings and the same folder it need not fit a second time."""

_TRIALS = "trials.json"
_FAILURES = (
    *(DivergedError, FitError, NotLearningError, RankingError),
    *(np.linalg.LinAlgError, MemoryError),
)
"""What is the settings' fault and ends a trial; anything else ends the tuning."""


@dataclass(frozen=True, kw_only=True)
class TuningSettings:
    """What each peer of an evaluation may spend, the same for all of them."""

    trials: int = 12
    """Settings that are tried; a peer with fewer tries all it has."""
    minutes: float = 20.0
    """No trial starts once those before it took so long; the first always runs, to its end."""
    fit_minutes: float = 240.0
    """LightGCN and SASRec begin no epoch after so long, and their best one counts. A fit in another
    process that takes twice as long is given up and counts as failed."""
    cases: int = 4096
    """Validation cases that a trial is scored on, drawn where there are more."""
    seed: int = 0
    """Of the drawn settings and cases, and of everything drawn in the peers."""

    def __post_init__(self) -> None:
        check_least(self, ("trials", "cases"), 1)
        check_above_zero(self, ("minutes", "fit_minutes"))
        check_least(self, ("seed",), 0)


@dataclass(frozen=True)
class Trial:
    """What came of one choice of settings."""

    settings: Drawn
    score: float
    """Mean reciprocal rank; 0 too where the fit came to nothing."""
    seconds: float
    """Of fitting and scoring; small where the trial before had already fitted the same."""
    failed: str | None = None
    """Why the fit came to nothing, if it did."""


def space(default: Drawn, **choices: Sequence[object]) -> tuple[Drawn, ...]:
    """List every combination of the choices, the default first."""
    combinations = (
        dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())
    )
    return (default, *(one for one in combinations if one != default))


def draw(
    options: Sequence[Drawn], trials: int, seed: int, grouped_by: Sequence[str] = ()
) -> list[Drawn]:
    """Draw what to try: the first option always, of the rest a seeded sample without repetition.

    Those that agree in `grouped_by` come one after the other, so that what depends on these
    settings alone is computed once.
    """
    drawn = [options[0]]
    rest = min(trials, len(options)) - 1
    order = np.random.default_rng([seed, 4]).permutation(len(options) - 1)[:rest]
    drawn += [options[1 + place] for place in order]
    groups: dict[tuple[object, ...], list[Drawn]] = {}
    for one in drawn:
        groups.setdefault(tuple(one[name] for name in grouped_by), []).append(one)
    return [one for group in groups.values() for one in group]


def tune(
    drawn: Sequence[Drawn],
    fit: Fit,
    judge: Callable[[Ranker], float],
    minutes: float,
    folder: Path,
    *,
    title: str,
) -> list[Trial]:
    """Try the drawn settings in order while there is time, and keep what the best one left.

    Trials already noted in `folder` are not run again. A fit that fails, diverges or learns
    nothing counts 0 and is never the best.
    """
    trials = read_trials(folder) if (folder / _TRIALS).exists() else []
    for number in range(len(trials), len(drawn)):
        if trials and sum(trial.seconds for trial in trials) >= 60 * minutes:
            break
        own = _own_folder(folder, number)
        shutil.rmtree(own, ignore_errors=True)
        own.mkdir(parents=True)
        trials.append(_try(drawn[number], fit, judge, own))
        _note(folder, trials)
        tqdm.write(f"{title}: {_told(trials[-1], number + 1, len(drawn))}", file=sys.stderr)
        best = best_of(trials)
        for other in range(len(trials)):
            if other != best:
                shutil.rmtree(_own_folder(folder, other), ignore_errors=True)
    return trials


def _try(drawn: Drawn, fit: Fit, judge: Callable[[Ranker], float], own: Path) -> Trial:
    began = perf_counter()
    score, failed = 0.0, None
    try:
        score = judge(fit(drawn, own))
    except _FAILURES as error:
        failed = str(error)
    return Trial(dict(drawn), score, round(perf_counter() - began, 2), failed)


def best_of(trials: Sequence[Trial]) -> int | None:
    """Find the best trial, of equal ones the first; None where all failed."""
    fitted = [number for number, trial in enumerate(trials) if trial.failed is None]
    return max(fitted, key=lambda number: trials[number].score, default=None)


def read_trials(folder: Path) -> list[Trial]:
    """Read what `tune` noted in a folder."""
    records = json.loads((folder / _TRIALS).read_text(encoding="utf-8"))
    return [Trial(**record) for record in records]


def fit_best(folder: Path, fit: Fit) -> Ranker:
    """Give the ranker of the best trial, from what it left in `folder` or fitted once more.

    Raises:
        TrainingError: every trial failed.
    """
    trials = read_trials(folder)
    best = best_of(trials)
    if best is None:
        raise TrainingError(f"{folder}: all trials failed, the first because: {trials[0].failed}")
    own = _own_folder(folder, best)
    own.mkdir(exist_ok=True)
    return fit(trials[best].settings, own)


def validation_cases(valid: Cases, candidates: Candidates, settings: TuningSettings) -> Cases:
    """Take the cases whose target occurs in training, at most `settings.cases` drawn ones."""
    familiar = np.flatnonzero(candidates.trained[valid.target])
    chosen = np.random.default_rng([settings.seed, 5]).permutation(familiar)[: settings.cases]
    return valid.take(np.sort(chosen))


def mean_reciprocal_rank(ranker: Ranker, cases: Cases, candidates: Candidates) -> float:
    """Rank each case's target within its type, what is seen excluded, and average 1 / rank.

    A target that is barred itself counts 0.
    """
    ranks = rank(ranker, cases, candidates, tops=False)[Scope.TYPE].rank
    found = ranks[ranks != UNRANKED]
    return float((1.0 / found).sum()) / max(len(cases), 1)


def _own_folder(folder: Path, number: int) -> Path:
    return folder / f"trial-{number:02d}"


def _note(folder: Path, trials: Sequence[Trial]) -> None:
    beside = folder / f"{_TRIALS}.partial"
    beside.write_text(json.dumps([asdict(trial) for trial in trials], indent=1) + "\n")
    beside.replace(folder / _TRIALS)


def _told(trial: Trial, number: int, total: int) -> str:
    came = f"{trial.score:.4f}" if trial.failed is None else f"failed ({trial.failed})"
    return f"trial {number} of {total}, {came}, {trial.seconds:.0f} s, {trial.settings}"
