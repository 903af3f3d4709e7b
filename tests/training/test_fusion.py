"""The scorer learns which channel to believe; without anything to learn from it keeps to one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from models.scorer import Scorer
from retrieval.evidence import EDGE_KINDS, NAMES, Catalogue, gather, reach
from retrieval.pairwise import PairTable
from tests.support.cases import cases_of
from training.fusion import (
    FusedRanker,
    FusionSettings,
    draw_cases,
    fit_scorer,
    nearest_by_type,
    people_of,
)

ITEMS, TYPES = 40, 2
SETTINGS = FusionSettings()
NEAREST = 5


def make_catalogue(rng: np.random.Generator) -> Catalogue:
    """Items of two types; item n speaks for item n + 1, and vectors mean nothing."""
    vectors = rng.normal(size=(ITEMS, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owner = np.arange(1, ITEMS)
    weights = np.zeros((ITEMS - 1, len(EDGE_KINDS)), dtype=np.float32)
    weights[:, 0] = 1.0
    return Catalogue(
        PairTable.from_lists(owner, owner - 1, weights, ITEMS),
        vectors,
        vectors,
        4,
        np.ones(ITEMS, dtype=np.float32),
        np.arange(ITEMS) * TYPES // ITEMS,
    )


def random_people(cases: Cases) -> NDArray[np.float32]:
    rng = np.random.default_rng(9)
    vectors = rng.normal(size=(len(cases), 8)).astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def fit(catalogue: Catalogue, taught: list[tuple[Catalogue, Cases]]) -> Scorer:
    return fit_scorer(catalogue, taught, random_people, SETTINGS, nearest=NEAREST)


def next_item_cases(rng: np.random.Generator, count: int) -> Cases:
    """People who choose what their newest item speaks for."""
    newest = rng.integers(0, ITEMS - 1, count)
    older = rng.integers(0, ITEMS, count)
    histories = [
        [int(o), int(n)] if o not in (n, n + 1) else [int(n)]
        for o, n in zip(older, newest, strict=True)
    ]
    return cases_of(histories, (newest + 1).tolist())


def test_scorer_learns_to_believe_the_pairs() -> None:
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(rng)
    scorer = fit(catalogue, [(catalogue, next_item_cases(rng, 200))])
    ranker = FusedRanker("fused", catalogue, random_people, scorer, NEAREST)
    asked = next_item_cases(rng, 100)
    scores = ranker.score(asked)
    for case in range(len(asked)):
        scores[case, asked.history(case)] = -np.inf
    assert (scores.argmax(axis=1) == asked.target).mean() > 0.9
    by_likeness = random_people(asked) @ catalogue.item_vectors.T
    assert (by_likeness.argmax(axis=1) == asked.target).mean() < 0.2


def test_without_cases_likeness_alone_counts_and_it_is_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    catalogue = make_catalogue(np.random.default_rng(0))
    scorer = fit(catalogue, [(catalogue, cases_of([], []))])
    assert dict(zip(NAMES, scorer.weight.tolist(), strict=True)) == {
        name: float(name == "likeness") for name in NAMES
    }
    assert "fusion: no lent case has its answer" in capsys.readouterr().err


def test_a_case_without_a_choice_teaches_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Everything but the target is barred, so the target is the only candidate."""
    catalogue = make_catalogue(np.random.default_rng(0))
    rest = [item for item in range(ITEMS) if item != 4]
    taught = [(catalogue, cases_of([[3]], [4], barred=[rest]))]
    scorer = fit(catalogue, taught)
    assert torch.isfinite(scorer.weight).all()
    assert "fusion: no lent case has its answer" in capsys.readouterr().err


def test_nearest_are_taken_of_each_type_but_for_what_is_barred() -> None:
    catalogue = make_catalogue(np.random.default_rng(0))
    cases = cases_of([[3]], [4])
    person = people_of(cases, random_people(cases))[0]
    scores = catalogue.item_vectors @ person.vector
    barred = np.argsort(-scores)[:3]
    scores[barred] = -np.inf
    near = nearest_by_type(catalogue, person, 5, barred)
    assert len(near) == 10
    for start in (0, ITEMS // 2):
        own = start + np.argsort(-scores[start : start + ITEMS // 2])[:5]
        assert set(own.tolist()) <= set(near.tolist())
    few = np.isin(np.arange(ITEMS), [1, 2, 30])
    assert nearest_by_type(catalogue, person, 5, np.array([2]), few).tolist() == [1, 30]


def test_what_no_channel_finds_comes_behind_what_one_does() -> None:
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(rng)
    scorer = fit(catalogue, [(catalogue, next_item_cases(rng, 200))])
    ranker = FusedRanker("fused", catalogue, random_people, scorer, 2)
    cases = cases_of([[3, 7]], [4])
    (person,) = people_of(cases, random_people(cases))
    likeness = catalogue.item_vectors @ person.vector
    reached = reach(catalogue, person)
    few = np.isin(np.arange(ITEMS), [8, 20, 21, 22, ITEMS - 1])
    for scores, admitted in ((ranker.score(cases), None), (ranker.score_among(cases, few), few)):
        near = nearest_by_type(catalogue, person, 2, cases.barred(0), admitted)
        spoken = np.array([4, 8]) if admitted is None else np.array([8])
        found = np.union1d(spoken, near)
        order = np.argsort(-scores[0])
        assert set(order[: len(found)].tolist()) == set(found.tolist())
        assert (np.diff(likeness[order[len(found) :]]) <= 0).all()
        said = scorer(torch.from_numpy(gather(catalogue, person, reached, found))).detach().numpy()
        assert found[np.argsort(-said)].tolist() == order[: len(found)].tolist()


def test_who_has_no_history_is_shown_the_most_popular() -> None:
    rng = np.random.default_rng(0)
    people = rng.permutation(ITEMS).astype(np.float32)
    catalogue = replace(make_catalogue(rng), people=people)
    taught = [(catalogue, next_item_cases(rng, 50))]
    scorer = fit(catalogue, taught)
    ranker = FusedRanker("fused", catalogue, random_people, scorer, NEAREST)
    nothing, something = ranker.score(cases_of([[], [3]], [1, 4]))
    np.testing.assert_array_equal(nothing, people)
    assert not np.array_equal(something, people)


def test_items_of_a_history_are_heard_as_they_are() -> None:
    """In the candidates' catalogue nothing has a vector; what was heard still has one."""
    rng = np.random.default_rng(0)
    heard = make_catalogue(rng)
    silent = replace(heard, known=heard.known.copy(), item_vectors=heard.item_vectors.copy())
    silent.known[5] = silent.item_vectors[5] = 0
    person = people_of(cases_of([[5]], [6]), random_people(cases_of([[5]], [6])))[0]
    reached, rows = reach(heard, person), np.arange(6, 12)
    said = [
        gather(catalogue, person, reached, rows, heard=history)
        for catalogue, history in ((heard, None), (silent, heard), (silent, None))
    ]
    np.testing.assert_array_equal(said[0], said[1])
    assert not np.array_equal(said[0], said[2])


def test_history_is_given_newest_first() -> None:
    cases = cases_of([[3, 5, 7]], [4])
    assert people_of(cases, random_people(cases))[0].history.tolist() == [7, 5, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"ridge": 0.0},
        {"cases": 0},
        {"candidates": 1},
        {"prior": -1.0},
        {"pretended_parts": 1},
    ],
)
def test_settings_without_a_meaning_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(change))):
        FusionSettings(**change)  # type: ignore[arg-type]  # wrong on purpose


def test_the_scorer_learns_from_what_was_looked_at_and_then_chosen(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(rng)
    plain = next_item_cases(rng, 200)
    looked = [[int(target), *plain.history(case)] for case, target in enumerate(plain.target)]
    strong = [plain.history(case).tolist() for case in range(len(plain))]
    for barred, taught in ((strong, True), (looked, False)):
        cases = cases_of(looked, plain.target.tolist(), barred=barred)
        scorer = fit(catalogue, [(catalogue, cases)])
        assert (scorer.weight.tolist()[0] > 0) == taught
        assert ("fusion: no lent case" in capsys.readouterr().err) != taught


def test_what_somebody_turned_away_from_teaches_nothing() -> None:
    """It is no candidate, so that the columns are scaled by the others alone."""
    cases = cases_of([[0]], [1], barred=[[0]])
    dislike = cases_of([[0]], [1], barred=[[0, 2]])
    catalogue = make_catalogue(np.random.default_rng(0))
    scales = [
        fit_scorer(
            catalogue, [(catalogue, each)], random_people, SETTINGS, nearest=ITEMS
        ).scale.tolist()
        for each in (cases, dislike)
    ]
    assert scales[0] != scales[1]


def test_cases_are_drawn_in_their_order_and_as_many_of_each_type() -> None:
    cases = next_item_cases(np.random.default_rng(0), 50)
    item_type = (np.arange(ITEMS) < ITEMS // 4).astype(np.int64)
    some, stands_for = draw_cases(cases, item_type, replace(SETTINGS, cases=20))
    counts = np.bincount(item_type[cases.target], minlength=2)
    expected = [20 - min(10, counts[1]), min(10, counts[1])]
    assert np.bincount(item_type[some.target], minlength=2).tolist() == expected
    assert stands_for == pytest.approx(counts / expected)
    assert (np.diff(some.user_row) > 0).all()
    assert np.isin(some.user_row, cases.user_row).all()
    everything, stands_for = draw_cases(cases, item_type, SETTINGS)
    assert (len(everything), stands_for.tolist()) == (50, [1, 1])


def test_cases_drawn_evenly_do_not_teach_that_types_are_chosen_equally_often() -> None:
    """Nine in ten choose an item of the second type, which is told by its popularity alone."""
    rng = np.random.default_rng(0)
    people = np.where(np.arange(ITEMS) < ITEMS // TYPES, 1, 9).astype(np.float32)
    catalogue = replace(make_catalogue(rng), people=people)
    targets = rng.integers(0, ITEMS // TYPES, 2000) + ITEMS // TYPES * (rng.random(2000) < 0.9)
    cases = cases_of([[int(item + 1) % ITEMS] for item in targets], targets.tolist())
    few, stands_for = draw_cases(cases, catalogue.item_type, replace(SETTINGS, cases=380))

    def weight(cases: Cases, stands_for: NDArray[np.float32] | None) -> float:
        scorer = fit_scorer(
            catalogue,
            [(catalogue, cases)],
            random_people,
            replace(SETTINGS, prior=1.0),
            stands_for=stands_for,
            nearest=ITEMS,
        )
        return float((scorer.weight / scorer.scale)[NAMES.index("popularity")].detach())

    as_chosen = weight(cases, None)
    assert as_chosen > 0.5
    assert weight(few, stands_for) == pytest.approx(as_chosen, rel=0.2)
    assert abs(weight(few, None)) < as_chosen / 4


def noisy_cases(rng: np.random.Generator, count: int) -> Cases:
    """Three in ten people choose what their newest item speaks for, the others anything."""
    cases = next_item_cases(rng, count)
    targets = np.where(rng.random(count) < 0.3, cases.target, rng.integers(0, ITEMS, count))
    kept = [case for case in range(count) if targets[case] not in cases.history(case)]
    histories = [cases.history(case).tolist() for case in kept]
    return cases_of(histories, targets[kept].tolist())


def test_a_few_drawn_candidates_teach_the_same() -> None:
    rng = np.random.default_rng(0)
    catalogue, cases = make_catalogue(rng), noisy_cases(rng, 1500)

    def weight(candidates: int, seed: int = 0) -> float:
        settings = replace(SETTINGS, candidates=candidates, seed=seed, prior=1.0)
        scorer = fit_scorer(catalogue, [(catalogue, cases)], random_people, settings, nearest=ITEMS)
        return float((scorer.weight / scorer.scale)[0].detach())

    assert weight(10) == weight(10) != weight(10, seed=1)
    assert weight(10) == pytest.approx(weight(ITEMS), rel=0.05)


def test_each_case_is_asked_of_the_catalogue_that_it_came_with() -> None:
    """In one catalogue item n speaks for n + 1, in the other for nothing."""
    rng = np.random.default_rng(0)
    catalogue = make_catalogue(rng)
    silent = replace(
        catalogue,
        pairs=replace(catalogue.pairs, weights=np.zeros_like(catalogue.pairs.weights)),
    )
    halves = [next_item_cases(rng, 100), next_item_cases(rng, 100)]
    both, half = (
        fit_scorer(
            catalogue,
            zip((catalogue, other), halves, strict=True),
            random_people,
            SETTINGS,
            nearest=ITEMS,
        ).weight.tolist()[0]
        for other in (catalogue, silent)
    )
    assert 0 < half < both
