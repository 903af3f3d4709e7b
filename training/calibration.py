"""Measure what the scorer's shares are worth, on choices that it was not fitted on.

Every case that is lent to the scorer is one that it needs, most of all those of scarce types. So
the cases are halved, a scorer is fitted on each half, and what people of the other half chose tells
what its shares are worth. The one that is served, fitted on both, is somewhat better than either,
so its chances are told a little too low where they are high.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from models.scorer import Scorer
from retrieval.calibrate import Calibration, fit
from retrieval.evidence import NEAREST, Catalogue, Person
from retrieval.fused import FusedRanker, Score
from training.fusion import people_of
from training.users import EmbedUsers

FitScorer = Callable[[Cases], Scorer]
"""Fits a scorer on some cases, as the one that is served is fitted on all."""

LEAST_CASES = 100
"""Below this nothing is measured: a pair of numbers for each type would be chance."""
OTHERS = 200
"""Candidates of a case that are kept beside the chosen one, drawn; the rest is stood for."""


def measure_calibration(
    catalogue: Catalogue,
    cases: Cases,
    embed_users: EmbedUsers,
    fit_scorer: FitScorer,
    *,
    stands_for: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> Calibration | None:
    """Measure the calibration; None where the cases are too few to tell.

    Candidates are those of a server that is asked for one list of all types. A case whose answer
    is not among them counts too: nothing that was shown was chosen. Cases of one person stay in one
    half.

    Shapes:
        stands_for: (T,), how many lent cases one of each type stands for; None for one each.
    """
    if len(cases) < LEAST_CASES:
        return None
    rng = np.random.default_rng([seed, 17])
    people = np.unique(cases.user_row)
    first = np.isin(cases.user_row, rng.permutation(people)[: len(people) // 2])
    halves = [cases.take(np.flatnonzero(half)) for half in (first, ~first)]
    taken = []
    for own, other in (halves, halves[::-1]):
        ranker = FusedRanker(catalogue, _score_of(fit_scorer(own)))
        for number, person in enumerate(people_of(other, embed_users(other))):
            shares = _shares(catalogue, ranker, person, other.barred(number))
            target = int(other.target[number])
            times = 1.0 if stands_for is None else float(stands_for[catalogue.item_type[target]])
            taken.append(_drawn(shares, target, times, rng))
    log_share = np.concatenate([each.log_share for each in taken])
    chosen = np.concatenate([each.chosen for each in taken])
    if not chosen.any():
        return None
    return fit(
        log_share,
        catalogue.item_type[np.concatenate([each.rows for each in taken])],
        chosen,
        int(catalogue.item_type.max()) + 1,
        weight=np.concatenate([each.weight for each in taken]),
    )


@dataclass(frozen=True, eq=False)
class _Shares:
    """The candidates of a case. Shapes: rows (c,), ascending. log_share (c,)."""

    rows: NDArray[np.int64]
    log_share: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Taken:
    """Some candidates of a case, and how many each stands for. Shapes: all (n,)."""

    rows: NDArray[np.int64]
    log_share: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    weight: NDArray[np.float64]


def _shares(
    catalogue: Catalogue, ranker: FusedRanker, person: Person, barred: NDArray[np.int64]
) -> _Shares:
    """Rank as a server does, and give each candidate's share."""
    listener = ranker.listen(person)
    likeness = catalogue.item_vectors @ person.vector
    likeness[barred] = -np.inf
    there = len(likeness) - len(np.unique(barred))
    depth = min(NEAREST, there)
    nearest = np.argsort(-likeness, kind="stable")[:depth].astype(np.int64)
    admitted = ~np.isin(listener.reached, barred)
    rows, said = ranker.candidates(listener, nearest, admitted)
    scores = ranker.score(listener, rows, said).astype(np.float64)
    return _Shares(rows, scores - np.logaddexp.reduce(scores))


def _drawn(shares: _Shares, target: int, times: float, rng: np.random.Generator) -> _Taken:
    """Keep the chosen candidate and some of the others."""
    chosen = shares.rows == target
    others = np.flatnonzero(~chosen)
    kept = rng.choice(others, min(OTHERS, len(others)), replace=False)
    places = np.concatenate((np.flatnonzero(chosen), kept))
    weight = np.full(len(places), times * len(others) / max(len(kept), 1))
    weight[: int(chosen.sum())] = times
    return _Taken(shares.rows[places], shares.log_share[places], chosen[places], weight)


def _score_of(scorer: Scorer) -> Score:
    """Ask a scorer as a server asks its exported form."""

    def score(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            scores: NDArray[np.float32] = scorer(torch.from_numpy(evidence)).numpy()
        return scores

    return score
