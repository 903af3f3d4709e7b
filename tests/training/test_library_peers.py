"""Models of other libraries, in a process of another interpreter."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.cases import Cases
from tests.support.cases import cases_of
from training import library_models
from training.adaptation import mean_reciprocal_rank as of_vectors
from training.baselines import Popularity, interaction_matrix
from training.errors import TrainingError
from training.library_peers import LibraryModel, Problem, library_versions, peers_python
from training.ranking import Candidates
from training.tuning import mean_reciprocal_rank

PEOPLE, ITEMS, UNSEEN = 60, 16, 15
LENGTH = 9
installed = pytest.mark.skipif(
    not peers_python().exists(), reason=f"no {peers_python()}: make peers-venv"
)
SETTINGS = {
    "als": {"factors": 8, "regularization": 0.01, "alpha": 5.0, "iterations": 10},
    "bpr": {"factors": 8, "learning_rate": 0.1, "regularization": 0.001, "iterations": 200},
    "sasrec": {"n_factors": 32, "n_blocks": 1, "lr": 0.01, "dropout_rate": 0.1},
}


def ring() -> tuple[Problem, Candidates]:
    """Person p walks a ring of seven items, an even or an odd one; the next item is the target.

    So the half is known from the items, the target's place in it from their order too. Item 15
    was touched by nobody.
    """
    walks = [[2 * ((p // 2 + step) % 7) + p % 2 for step in range(LENGTH)] for p in range(PEOPLE)]
    histories = [walk[:5] for walk in walks]
    users = [p for p, walk in enumerate(histories) for _ in walk]
    train = pl.DataFrame(
        {
            "user_row": users,
            "item_row": [item for walk in histories for item in walk],
            "role": "strong",
        }
    )
    cases = cases_of(histories, [walk[5] for walk in walks])
    popularity = (np.arange(ITEMS) < 14).astype(np.int64)
    candidates = Candidates(("item",), np.zeros(ITEMS, np.int64), popularity, popularity > 0)
    return Problem(train, PEOPLE, candidates.item_type, cases, cases), candidates


def model(name: str, *, python: Path | None = None, timeout_s: float = 110.0) -> LibraryModel:
    return LibraryModel(name, name.upper(), python or peers_python(), timeout_s, seed=0)


@installed
@pytest.mark.parametrize("name", SETTINGS)
def test_a_library_model_learns_the_halves(name: str, tmp_path: Path) -> None:
    problem, candidates = ring()
    ranker = model(name).ranker(problem, SETTINGS[name], tmp_path)
    matrix = interaction_matrix(problem.train, PEOPLE, ITEMS)
    popular = mean_reciprocal_rank(Popularity.fit(matrix), problem.test, candidates)
    # Two items of the person's half are left, of which only order tells the next one.
    least = 0.95 if name == "sasrec" else 0.5
    assert mean_reciprocal_rank(ranker, problem.test, candidates) >= least > popular

    scores = ranker.score(problem.test)
    assert np.isfinite(scores).all()
    assert (scores[:, UNSEEN] < scores[:, :14].min(axis=1)).all()
    assert not (tmp_path / "arrays.npz").exists()


@installed
@pytest.mark.parametrize("name", ["als", "bpr"])
def test_a_seed_repeats_the_vectors(name: str, tmp_path: Path) -> None:
    problem, _ = ring()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        model(name).ranker(problem, SETTINGS[name], tmp_path / folder)
    one, two = (np.load(tmp_path / folder / "items.npy") for folder in ("one", "two"))
    np.testing.assert_array_equal(one, two)


@installed
@pytest.mark.parametrize("name", ["als", "sasrec"])
def test_people_absent_from_training_are_answered_from_their_history(
    name: str, tmp_path: Path
) -> None:
    problem, candidates = ring()
    strangers = dataclasses.replace(problem.test, user_row=np.arange(PEOPLE) + PEOPLE)
    empty = cases_of([[], [UNSEEN]], [0, 1], users=[2 * PEOPLE, 2 * PEOPLE + 1])
    wider = dataclasses.replace(problem, num_users=2 * PEOPLE + 2, test=strangers.joined(empty))
    ranker = model(name).ranker(wider, SETTINGS[name], tmp_path)
    known = mean_reciprocal_rank(ranker, problem.valid, candidates)
    assert mean_reciprocal_rank(ranker, strangers, candidates) == pytest.approx(known, abs=1e-6)
    nothing = ranker.score(empty)[:, :14]
    np.testing.assert_allclose(nothing, 0.0, atol=1e-6)


@installed
def test_what_was_fitted_is_read_again(tmp_path: Path) -> None:
    problem, _ = ring()
    first = model("als").ranker(problem, SETTINGS["als"], tmp_path)
    again = model("als", python=Path("nowhere")).ranker(problem, SETTINGS["als"], tmp_path)
    np.testing.assert_array_equal(first.score(problem.test), again.score(problem.test))


def test_the_other_process_scores_as_we_do(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(size=(30, 4)).astype(np.float32)
    people = rng.normal(size=(300, 4)).astype(np.float32)  # more than are scored at a time
    histories, barred = (
        [rng.choice(30, rng.integers(0, 6), replace=False).tolist() for _ in people] for _ in "ab"
    )
    kinds = np.repeat([0, 1], [12, 18])
    valid = cases_of(histories, rng.integers(0, 30, len(people)).tolist(), barred=barred)
    assert valid.repeated.any()
    train = pl.DataFrame({"user_row": [0], "item_row": [0], "role": "strong"})
    model("als").ask(Problem(train, len(people), kinds, valid, valid), {}, tmp_path)
    task = library_models.read_task(tmp_path)
    everything = np.ones(30, dtype=np.bool_)
    got = library_models.mean_reciprocal_rank(people, items, everything, task)
    assert got == pytest.approx(of_vectors(people, items, valid, kinds))


@installed
def test_the_versions_of_the_libraries_are_told() -> None:
    versions = library_versions(peers_python())
    assert set(versions) == {"pm-implicit", "rectools", "torch"}
    assert all(version[0].isdigit() for version in versions.values())


def test_an_interpreter_without_the_libraries_is_named(tmp_path: Path) -> None:
    problem, _ = ring()
    python = Path(sys.executable)
    with pytest.raises(TrainingError, match=r"ALS: .*(?s:.)*No module named 'implicit'"):
        model("als", python=python).ranker(problem, SETTINGS["als"], tmp_path)
    with pytest.raises(TrainingError, match=r"expected pm-implicit, rectools, torch there"):
        library_versions(python)


def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    problem, _ = ring()
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nsleep 600\n")
    hanging.chmod(0o755)
    with pytest.raises(TrainingError, match=r"BPR: no answer after 0\.5 s"):
        model("bpr", python=hanging, timeout_s=0.5).ranker(problem, SETTINGS["bpr"], tmp_path)


def test_cases_that_were_never_embedded_have_no_vector(tmp_path: Path) -> None:
    problem, _ = ring()
    vectors = np.ones((PEOPLE, 2), dtype=np.float32)
    for name, rows in (("valid", vectors), ("test", vectors), ("items", vectors[:ITEMS])):
        np.save(tmp_path / f"{name}.npy", rows)
    np.save(tmp_path / "familiar.npy", np.ones(ITEMS, np.bool_))
    ranker = model("als").ranker(problem, SETTINGS["als"], tmp_path)
    other: Cases = cases_of([[3]], [1])
    with pytest.raises(KeyError):
        ranker.score(other)
