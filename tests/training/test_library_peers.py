"""Models of other libraries, in a process of another interpreter."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.cases import Cases
from tests.support.cases import cases_of
from training import library_models, library_peers
from training.adaptation import mean_reciprocal_rank as of_vectors
from training.baselines import Popularity, interaction_matrix
from training.errors import FitError, TrainingError
from training.library_models import cut
from training.library_peers import (
    PYTHON_VARIABLE,
    LibraryModel,
    Problem,
    library_versions,
    peers_python,
)
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


def test_variable_that_is_empty_is_not_set() -> None:
    assert peers_python({PYTHON_VARIABLE: ""}) == peers_python({})


def ring() -> tuple[Problem, Candidates]:
    """Person p walks a ring of seven items, an even or an odd one; the next item is the target.

    So the half is known from the items, the target's place in it from their order too. Item 15
    was touched by nobody.
    """
    walks = [[2 * ((p // 2 + step) % 7) + p % 2 for step in range(LENGTH)] for p in range(PEOPLE)]
    histories = [walk[:5] for walk in walks]
    train = rows_of(histories)
    cases = cases_of(histories, [walk[5] for walk in walks])
    popularity = (np.arange(ITEMS) < 14).astype(np.int64)
    candidates = Candidates(("item",), np.zeros(ITEMS, np.int64), popularity, popularity > 0)
    return Problem(train, PEOPLE, candidates.item_type, cases, cases), candidates


def rows_of(walks: list[list[int]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "user_row": [p for p, walk in enumerate(walks) for _ in walk],
            "item_row": [item for walk in walks for item in walk],
            "role": "strong",
        }
    )


def model(name: str, *, python: Path | None = None, fit_s: float = 55.0) -> LibraryModel:
    return LibraryModel(name, name.upper(), python or peers_python(), fit_s, seed=0)


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
    np.testing.assert_array_equal(ranker.score(empty), 0.0)


@installed
def test_bpr_knows_nothing_of_people_absent_from_training(tmp_path: Path) -> None:
    problem, _ = ring()
    stranger = cases_of([[3]], [1], users=[PEOPLE])
    wider = dataclasses.replace(problem, num_users=PEOPLE + 1, test=problem.test.joined(stranger))
    ranker = model("bpr").ranker(wider, SETTINGS["bpr"], tmp_path)
    np.testing.assert_array_equal(ranker.score(stranger), 0.0)
    assert np.ptp(ranker.score(problem.test), axis=1).min() > 0


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
    with pytest.raises(TrainingError, match=r"ALS: .*(?s:.)*No module named 'implicit'") as caught:
        model("als", python=python).ranker(problem, SETTINGS["als"], tmp_path)
    assert not isinstance(caught.value, FitError)
    with pytest.raises(TrainingError, match=r"expected pm-implicit, rectools, torch there"):
        library_versions(python)


def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    problem, _ = ring()
    hanging = tmp_path / "python"
    hanging.write_text("#!/bin/sh\nsleep 600\n")
    hanging.chmod(0o755)
    with pytest.raises(FitError, match=r"BPR: no answer after 0\.5 s"):
        model("bpr", python=hanging, fit_s=0.25).ranker(problem, SETTINGS["bpr"], tmp_path)


@installed
def test_sasrec_keeps_its_best_epoch_once_the_time_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    problem, candidates = ring()
    monkeypatch.setattr(library_peers, "_GIVEN_UP", 10_000)
    ranker = model("sasrec", fit_s=0.01).ranker(problem, SETTINGS["sasrec"], tmp_path)
    told = capfd.readouterr().err
    assert "SASRec: 0.01 s have passed, epoch 1 is the last" in told
    assert told.count("SASRec: epoch") == 1
    assert mean_reciprocal_rank(ranker, problem.valid, candidates) > 0


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


def test_long_sequences_are_cut_so_that_every_row_but_the_first_is_a_target_once() -> None:
    counts = [8, 1, 3, 4, 7]
    user = np.repeat(np.arange(5), counts)
    stretches = cut(user, np.ones(len(user), np.bool_), 3)
    parts = [
        stretches.row[stretches.number == number].tolist() for number in np.unique(stretches.number)
    ]
    assert parts == [
        [0, 1],
        [1, 2, 3, 4],
        [4, 5, 6, 7],
        [9, 10, 11],
        [12, 13, 14, 15],
        [16, 17, 18, 19],
        [19, 20, 21, 22],
    ]
    assert stretches.count == 7
    first = np.cumsum([0, *counts[:-1]])
    targets = sorted(row for part in parts for row in part[1:])
    assert targets == sorted(set(range(len(user))) - set(first.tolist()))


def test_a_stretch_without_a_strong_target_is_left_out() -> None:
    strong = np.array([True, False, False, True, True, True, False])
    stretches = cut(np.array([0, 0, 0, 0, 0, 1, 1]), strong, 2)
    assert stretches.row.tolist() == [2, 3, 4]
    assert cut(np.arange(3), np.ones(3, np.bool_), 2).count == 0
    assert cut(np.zeros(0, np.int64), np.zeros(0, np.bool_), 2).count == 0


@installed
def test_sasrec_learns_from_all_of_a_long_sequence(tmp_path: Path) -> None:
    """Each person's walk is longer than what is read at once; items 0 and 1 begin and never return.

    They are known only if the oldest part is learned from as well.
    """
    problem, _ = ring()
    walks = [[p % 2, *(2 + (p + step) % 10 for step in range(130))] for p in range(8)]
    train = rows_of(walks)
    cases = cases_of([walk[-5:] for walk in walks], [2 + (p + 130) % 10 for p in range(8)])
    long = dataclasses.replace(problem, train=train, num_users=8, valid=cases, test=cases)
    settings = {**SETTINGS["sasrec"], "dropout_rate": 0.0}
    model("sasrec").ranker(long, settings, tmp_path)
    familiar = np.load(tmp_path / "familiar.npy")
    assert np.flatnonzero(familiar).tolist() == list(range(12))


LOSSES = """
import importlib.util, json, sys
import numpy as np, pandas as pd, torch
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.lightning import TransformerLightningModule

spec = importlib.util.spec_from_file_location("library_models", sys.argv[1])
script = sys.modules["library_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(script)
torch.manual_seed(0)
user = np.repeat(np.arange(9), [2, 3, 4, 5, 6, 5, 4, 3, 2])
frame = pd.DataFrame({
    Columns.User: user, Columns.Item: np.arange(len(user)) * 7 % 12, Columns.Weight: 1.0,
    Columns.Datetime: pd.to_datetime(np.arange(len(user)), unit="s"),
})
for loss in ("softmax", "gBCE"):
    model = SASRecModel(
        n_factors=8, n_blocks=1, session_max_len=5, loss=loss, n_negatives=4, gbce_t=0.75,
        dropout_rate=0.0, lightning_module_type=script._training_module(),
    )
    model._build_model_from_dataset(Dataset.construct(frame))
    module = model.lightning_model
    module._xavier_normal_init()
    module.log = lambda *_, **__: None
    (batch,) = model.data_preparator.get_dataloader_train()
    both = []
    for step in (module.training_step, super(type(module), module).training_step):
        value = step(batch, 0)
        gradients = torch.autograd.grad(value, list(module.torch_model.parameters()))
        both.append([value.item(), *(each.square().sum().item() for each in gradients)])
    print(json.dumps(both))
"""


@installed
def test_scores_at_targets_alone_give_the_loss_and_the_gradient_of_rectools() -> None:
    command = [str(peers_python()), "-I", "-W", "ignore", "-c", LOSSES, library_models.__file__]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in answer.stdout.splitlines() if line.startswith("[[")]
    assert len(lines) == 2
    for ours, theirs in lines:
        assert theirs[0] > 0.1
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-9)


@installed
def test_sasrec_reads_weak_signals_and_does_not_predict_them(tmp_path: Path) -> None:
    """Weak item k is followed by strong item 7 + k, and that by any weak one.

    Were weak ones predicted, they would come first after a strong one.
    """
    problem, candidates = ring()
    kinds = np.random.default_rng(0).integers(0, 7, (PEOPLE, 6)).tolist()
    walks = [[row for kind in person for row in (kind, 7 + kind)] for person in kinds]
    train = rows_of(walks).with_columns(
        role=pl.when(pl.col("item_row") < 7).then(pl.lit("weak")).otherwise(pl.lit("strong"))
    )
    told = cases_of([[kind] for kind in range(7)], [7 + kind for kind in range(7)])
    after = cases_of([[kind, 7 + kind] for kind in range(7)], [0] * 7)
    nobody = told.take(np.zeros(0, dtype=np.int64))  # so all epochs are trained
    weak = dataclasses.replace(problem, train=train, valid=nobody, test=told.joined(after))
    ranker = model("sasrec").ranker(weak, SETTINGS["sasrec"], tmp_path)
    assert mean_reciprocal_rank(ranker, told, candidates) > 0.95
    assert np.load(tmp_path / "familiar.npy")[:14].all()
    scores = ranker.score(after)
    assert (scores[:, :7].max(axis=1) < scores[:, 7:14].max(axis=1)).all()


@installed
def test_without_a_validation_case_sasrec_trains_all_epochs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    problem, candidates = ring()
    nobody = problem.valid.take(np.zeros(0, dtype=np.int64))
    blind = dataclasses.replace(problem, valid=nobody)
    ranker = model("sasrec").ranker(blind, SETTINGS["sasrec"], tmp_path)
    assert mean_reciprocal_rank(ranker, problem.test, candidates) >= 0.95
    assert "epoch 100 of 100, nothing to validate on" in capfd.readouterr().err


@installed
def test_a_fit_that_fails_says_why_and_is_not_a_broken_installation(tmp_path: Path) -> None:
    problem, _ = ring()
    single = dataclasses.replace(problem, train=problem.train.unique("user_row"))
    with pytest.raises(FitError, match="SASREC: ValueError: SASRec learns what comes after what"):
        model("sasrec").ranker(single, SETTINGS["sasrec"], tmp_path)
    with pytest.raises(FitError, match="ALS: ModelFitError: NaN encountered in factors"):
        model("als").ranker(problem, {**SETTINGS["als"], "alpha": float("nan")}, tmp_path)


def test_vectors_that_are_not_finite_are_a_failed_fit(tmp_path: Path) -> None:
    problem, _ = ring()
    vectors = np.ones((PEOPLE, 2), dtype=np.float32)
    vectors[3, 1] = np.nan
    for name, rows in (("valid", vectors), ("test", vectors), ("items", vectors[:ITEMS])):
        np.save(tmp_path / f"{name}.npy", rows)
    np.save(tmp_path / "familiar.npy", np.ones(ITEMS, np.bool_))
    with pytest.raises(FitError, match="BPR: the vectors are not finite"):
        model("bpr").ranker(problem, SETTINGS["bpr"], tmp_path)


def test_a_process_that_is_killed_is_a_failed_fit(tmp_path: Path) -> None:
    problem, _ = ring()
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -KILL $$\n")
    dying.chmod(0o755)
    with pytest.raises(FitError, match="BPR: the fit was killed by signal 9"):
        model("bpr", python=dying).ranker(problem, SETTINGS["bpr"], tmp_path)
