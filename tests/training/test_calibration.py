"""People who choose by a softmax that is known, and scorers that overstate it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from graph.worlds import two_communities
from models.scorer import Scorer
from retrieval.calibrate import Calibration, gap
from retrieval.evidence import EDGE_KINDS, NAMES, Catalogue
from retrieval.pairwise import PairTable
from tests.support.cases import cases_of
from tests.support.runs import QUICK, make_run
from training.calibration import LEAST_CASES, measure_calibration

ITEMS, TYPES, PEOPLE, FIRMNESS = 60, 2, 1500, 4.0


def unit(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    made: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return made


RNG = np.random.default_rng(0)
ITEM_VECTORS, PERSON_VECTORS = unit(RNG, ITEMS), unit(RNG, 2 * PEOPLE)
ITEM_TYPE = np.arange(ITEMS) * TYPES // ITEMS


def make_catalogue() -> Catalogue:
    """Nobody speaks for anything, so that all depends on the likeness."""
    nobody = np.empty(0, dtype=np.int64)
    none = np.empty((0, len(EDGE_KINDS)), dtype=np.float32)
    return Catalogue(
        PairTable.from_lists(nobody, nobody, none, ITEMS),
        ITEM_VECTORS,
        ITEM_VECTORS,
        4,
        np.ones(ITEMS, dtype=np.float32),
        ITEM_TYPE,
    )


def people(cases: Cases) -> NDArray[np.float32]:
    return PERSON_VECTORS[cases.user_row]


def choosing(first: int, count: int) -> Cases:
    """People who have met two items, and choose another by the softmax of FIRMNESS * likeness."""
    rng = np.random.default_rng(first)
    users = np.arange(first, first + count)
    worth = FIRMNESS * PERSON_VECTORS[users] @ ITEM_VECTORS.T + rng.gumbel(size=(count, ITEMS))
    met = rng.integers(0, ITEMS, (count, 2))
    worth[np.arange(count)[:, None], met] = -np.inf
    return cases_of(met.tolist(), worth.argmax(axis=1).tolist(), users=users.tolist())


def believing(firmness: float) -> Scorer:
    scorer = Scorer()
    with torch.no_grad():
        scorer.weight[NAMES.index("likeness")] = firmness
    return scorer


def log_shares(cases: Cases, firmness: float) -> NDArray[np.float64]:
    scores = firmness * (people(cases) @ ITEM_VECTORS.T).astype(np.float64)
    for case in range(len(cases)):
        scores[case, cases.barred(case)] = -np.inf
    return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)


def test_what_an_overstating_scorer_says_is_brought_down_to_what_comes_true() -> None:
    fitted: list[Cases] = []

    def fit(cases: Cases) -> Scorer:
        fitted.append(cases)
        return believing(3 * FIRMNESS)

    cases = choosing(0, PEOPLE)
    calibration = measure_calibration(make_catalogue(), cases, people, fit)
    assert calibration is not None
    assert sorted(np.concatenate([part.user_row for part in fitted]).tolist()) == list(
        range(PEOPLE)
    )
    later = choosing(PEOPLE, PEOPLE)
    shares = log_shares(later, 3 * FIRMNESS)
    there = np.isfinite(shares)
    types = np.broadcast_to(ITEM_TYPE, shares.shape)[there]
    chosen = (np.arange(ITEMS) == later.target[:, None])[there]
    told = calibration.chances(shares[there], types)
    assert gap(told, chosen) < 0.12
    assert gap(np.exp(shares[there]), chosen) > 0.4


def test_types_that_were_drawn_too_often_count_as_often_as_they_are_chosen() -> None:
    """Every third case of type 0 was drawn, and stands for three."""
    cases = choosing(0, PEOPLE)
    rare = ITEM_TYPE[cases.target] == 0
    drawn = cases.take(np.flatnonzero(~rare | (np.arange(PEOPLE) % 3 == 0)))
    stands_for = np.array([3.0, 1.0], dtype=np.float32)

    def offsets(weights: NDArray[np.float32] | None) -> tuple[float, ...]:
        found = measure_calibration(
            make_catalogue(), drawn, people, lambda _: believing(FIRMNESS), stands_for=weights
        )
        assert found is not None
        return found.offset

    even, weighed = offsets(None), offsets(stands_for)
    assert even[0] < even[1] - 0.5
    assert abs(weighed[0] - weighed[1]) < 0.4


@pytest.mark.parametrize(("count", "measured"), [(60, False), (240, True)])
def test_stage_keeps_what_it_measured(tmp_path: Path, count: int, measured: bool) -> None:
    run = make_run(tmp_path, two_communities(people=count), settings=QUICK)
    run.make_adaptation()
    run.make_fusion()
    found = Calibration.load(run.folder / "fusion")
    assert (found is not None) == measured
    if found is not None:
        assert len(found.slope) == len(run.dataset.item_types)
        summary = json.loads((run.folder / "fusion" / "stage.json").read_text())["summary"]
        assert summary["calibration"] == found.to_json()


def test_too_few_cases_tell_nothing() -> None:
    cases = choosing(0, LEAST_CASES - 1)
    catalogue = make_catalogue()
    assert measure_calibration(catalogue, cases, people, lambda _: believing(1.0)) is None
