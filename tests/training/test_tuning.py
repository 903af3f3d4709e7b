"""Tuning: who wins where the answer is known, what everybody may spend, what is kept."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from time import sleep

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.cases import Cases
from graph.worlds import two_communities, write_world
from tests.support.cases import cases_of
from training import tuning
from training.adaptation import mean_reciprocal_rank as of_vectors
from training.baselines import TwoTowerRanker
from training.comparison import fit_models, fitted
from training.errors import DivergedError, FitError, TrainingError
from training.library_peers import peers_python
from training.material import Material
from training.peers import PEERS
from training.pipeline import Inputs, Run
from training.ranking import Candidates, Ranker, rank
from training.settings import Settings
from training.tuning import TuningSettings, draw, fit_best, read_trials, space, tune
from training.tuning_stage import make_peer, write_tuning

OPTIONS = space({"a": 0, "b": "x"}, a=(0, 1, 2, 3), b=("x", "y"))
WORLD = two_communities(people=60, items_per_type=24, withheld=2)


@dataclass(frozen=True)
class Constant:
    """Scores every item by its place in a list."""

    scores: tuple[float, ...]
    name: str = "constant"

    def score(self, cases: Cases) -> NDArray[np.float32]:
        return np.broadcast_to(np.array(self.scores, dtype=np.float32), (len(cases), 3))


def known_answer() -> tuple[Cases, Candidates]:
    """Item 2 is what everybody chooses."""
    candidates = Candidates(
        ("item",), np.zeros(3, np.int64), np.ones(3, np.int64), np.ones(3, np.bool_)
    )
    return cases_of([[], [0]], [2, 2]), candidates


def fit(drawn: tuning.Drawn, folder: Path) -> Ranker:
    """The larger `a`, the higher the right item comes; the folder remembers that it was here."""
    if drawn["b"] == "y":
        raise DivergedError("the loss is nan")
    with (folder / "fitted").open("a") as file:
        file.write("x")
    return Constant((2.0, 1.0, float(drawn["a"])))


def judge(ranker: Ranker) -> float:
    return tuning.mean_reciprocal_rank(ranker, *known_answer())


def test_a_space_holds_every_combination_once_and_begins_with_the_default() -> None:
    assert OPTIONS[0] == {"a": 0, "b": "x"}
    assert len(OPTIONS) == 8
    assert len({json.dumps(one) for one in OPTIONS}) == 8
    assert len(space({"a": 9}, a=(1, 2))) == 3


def test_a_draw_repeats_with_its_seed_and_always_has_the_default() -> None:
    wide = space({"a": 0}, a=range(100))
    one = draw(wide, 12, 3)
    assert one == draw(wide, 12, 3)
    assert one != draw(wide, 12, 4)
    assert one[0] == wide[0]
    assert len({each["a"] for each in one}) == 12
    assert draw(wide, 1, 5) == [wide[0]]


def test_a_small_space_is_tried_whole() -> None:
    assert sorted(map(json.dumps, draw(OPTIONS, 12, 0))) == sorted(map(json.dumps, OPTIONS))


def test_what_is_computed_once_is_tried_in_a_row() -> None:
    drawn = draw(OPTIONS, 8, 0, grouped_by=("a",))
    first = [each["a"] for each in drawn]
    assert drawn[0] == OPTIONS[0]
    assert first[::2] == first[1::2]


@pytest.mark.parametrize("key", PEERS)
def test_every_peer_may_try_as_many_settings_as_any_other(key: str) -> None:
    peer = PEERS[key]
    trials = TuningSettings().trials
    assert len(draw(peer.space, trials, 0, peer.grouped_by)) == trials
    assert draw(peer.space, trials, 0, peer.grouped_by)[0] == peer.space[0]
    assert {frozenset(one) for one in peer.space} == {frozenset(peer.space[0])}


def test_the_best_settings_win_and_only_what_they_left_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = tune(OPTIONS, fit, judge, 60, tmp_path, title="peer")
    place = tuning.best_of(trials)
    assert place is not None
    best = trials[place]
    assert best.settings == {"a": 3, "b": "x"}
    assert best.score == 1.0
    failed = [trial for trial in trials if trial.settings["b"] == "y"]
    assert {(trial.score, trial.failed) for trial in failed} == {(0.0, "the loss is nan")}
    assert trials[0].score == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert read_trials(tmp_path) == trials
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["trial-06"]
    told = capsys.readouterr().err
    assert told.count("peer: trial ") == 8
    assert told.count("failed (the loss is nan)") == 4

    fit_best(tmp_path, fit)
    assert (tmp_path / "trial-06" / "fitted").read_text() == "xx"


def test_of_equal_settings_the_first_wins() -> None:
    trials = [tuning.Trial({"a": a}, score, 0.0) for a, score in enumerate((0.1, 0.4, 0.4))]
    assert tuning.best_of(trials) == 1


def test_a_trial_that_failed_is_never_the_best(tmp_path: Path) -> None:
    nothing = tuning.Trial({"a": 0}, 0.0, 0.0, failed="no")
    assert tuning.best_of([nothing, tuning.Trial({"a": 1}, 0.0, 0.0)]) == 1
    assert tuning.best_of([nothing, nothing]) is None

    failing = [one for one in OPTIONS if one["b"] == "y"]
    trials = tune(failing, fit, judge, 60, tmp_path, title="peer")
    assert len(trials) == 4
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []
    with pytest.raises(TrainingError, match="all trials failed, the first because: the loss is"):
        fit_best(tmp_path, fit)


def test_an_error_that_is_not_of_the_settings_ends_the_tuning(tmp_path: Path) -> None:
    def broken(_drawn: tuning.Drawn, _folder: Path) -> Ranker:
        raise TrainingError("no such library")

    with pytest.raises(TrainingError, match="no such library"):
        tune(OPTIONS, broken, judge, 60, tmp_path, title="peer")


def test_when_the_time_is_used_up_only_the_default_was_tried(tmp_path: Path) -> None:
    def slow(drawn: tuning.Drawn, folder: Path) -> Ranker:
        sleep(0.05)
        return fit(drawn, folder)

    trials = tune(OPTIONS, slow, judge, 1e-4, tmp_path, title="peer")
    assert [trial.settings for trial in trials] == [OPTIONS[0]]


def test_tuning_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    def stop_at_the_last(drawn: tuning.Drawn, folder: Path) -> Ranker:
        if drawn["a"] == 3:
            raise KeyboardInterrupt
        return fit(drawn, folder)

    with pytest.raises(KeyboardInterrupt):
        tune(OPTIONS, stop_at_the_last, judge, 60, tmp_path, title="peer")
    first = read_trials(tmp_path)
    assert len(first) == 6
    resumed = tune(OPTIONS, fit, judge, 60, tmp_path, title="peer")
    assert resumed[:6] == first
    assert max(resumed, key=lambda trial: trial.score).settings["a"] == 3


def test_the_yardstick_is_the_one_of_early_stopping() -> None:
    rng = np.random.default_rng(0)
    items = rng.normal(size=(30, 4)).astype(np.float32)
    people = rng.normal(size=(20, 4)).astype(np.float32)
    histories = [rng.choice(30, 5, replace=False).tolist() for _ in range(20)]
    cases = cases_of(histories, rng.integers(0, 30, 20).tolist())
    assert cases.repeated.any()
    kinds = np.repeat([0, 1], [12, 18])
    candidates = Candidates(("a", "b"), kinds, np.ones(30, np.int64), np.ones(30, np.bool_))
    ranker = TwoTowerRanker("towers", items, lambda some: people[some.user_row])
    got = tuning.mean_reciprocal_rank(ranker, cases, candidates)
    assert got == pytest.approx(of_vectors(people, items, cases, kinds))
    assert 0.05 < got < 0.95


def test_validation_asks_for_familiar_targets_alone_and_draws_them() -> None:
    cases = cases_of([[]] * 40, [0, 1] * 20)
    candidates = Candidates(
        ("item",), np.zeros(2, np.int64), np.ones(2, np.int64), np.array([True, False])
    )
    every = tuning.validation_cases(cases, candidates, TuningSettings())
    assert every.target.tolist() == [0] * 20
    some = tuning.validation_cases(cases, candidates, TuningSettings(cases=5))
    assert len(np.unique(some.user_row)) == 5
    other = tuning.validation_cases(cases, candidates, TuningSettings(cases=5, seed=1))
    assert some.user_row.tolist() != other.user_row.tolist()


@pytest.mark.parametrize(
    "wrong", [{"trials": 0}, {"minutes": 0.0}, {"cases": 0}, {"fit_minutes": -1.0}, {"seed": -1}]
)
def test_settings_without_a_meaning_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}: expected"):
        TuningSettings(**wrong)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that has its data set and no more."""
    folder = tmp_path_factory.mktemp("tuned")
    write_world(WORLD, folder / "data")
    settings = Settings(tuning=TuningSettings(trials=3))
    made = Run(folder / "run", Inputs(data=folder / "data", holding="test", settings=settings))
    made.make_dataset()
    (made.folder / "text").mkdir()
    (made.folder / "text" / "stage.json").write_text('{"inputs": "none"}')
    return made


IN_PROCESS = ("item-cosine-tuned", "ease-tuned", "lightgcn")


def test_peers_are_stages_which_a_second_run_keeps(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [make_peer(run, key).ran for key in IN_PROCESS] == [True, True, True]
    again = Run(run.folder, run.inputs)
    assert [make_peer(again, key).ran for key in IN_PROCESS] == [False, False, False]
    write_tuning(again, IN_PROCESS)
    records = json.loads((run.folder / "tuning.json").read_text())
    counts = {key: [one["peer"] for one in records].count(PEERS[key].name) for key in IN_PROCESS}
    assert set(counts.values()) == {3}
    assert {*records[0]} == {"peer", "settings", "score", "seconds", "failed"}
    page = (run.folder / "tuning.md").read_text()
    assert "at most 3 trials and 20 minutes each" in page
    assert page.count("3 of 3") == 3
    assert page.count(", best") == 3
    write_tuning(again, ())
    assert (run.folder / "tuning.md").read_text() == page
    assert json.loads((run.folder / "tuning.json").read_text()) == records

    # What was tuned is what is evaluated: the half of a person is known, the item in it not.
    candidates = Candidates.of(run.dataset, run.split.train)
    for key, ranker in zip(IN_PROCESS, fit_models(again, IN_PROCESS), strict=True):
        assert ranker.name == PEERS[key].name
        mean = tuning.mean_reciprocal_rank(ranker, run.split.test, candidates)
        assert mean > 0.3, key
    capsys.readouterr()


@pytest.mark.skipif(not peers_python().exists(), reason=f"no {peers_python()}: make peers-venv")
def test_a_peer_of_another_library_is_fitted_once(run: Run) -> None:
    assert make_peer(run, "als").ran
    again = Run(run.folder, run.inputs)
    assert not make_peer(again, "als").ran
    kept = [path for path in (run.folder / "peers" / "als").iterdir() if path.is_dir()]
    before = (kept[0] / "test.npy").stat().st_mtime_ns
    (ranker,) = fit_models(again, ("als",))
    rank(ranker, run.split.test, Candidates.of(run.dataset, run.split.train))
    assert len(kept) == 1
    assert (kept[0] / "test.npy").stat().st_mtime_ns == before


def test_a_peer_that_cannot_be_fitted_is_left_out_and_recorded(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prepare(_material: Material, _tuning: TuningSettings) -> tuning.Fit:
        def fit(_drawn: tuning.Drawn, _folder: Path) -> Ranker:
            raise FitError("BPR: ValueError: NaN in factors")

        return fit

    for key in ("item-cosine-tuned", "bpr"):
        peer = replace(PEERS[key], in_library=False)
        monkeypatch.setitem(PEERS, key, replace(peer, prepare=prepare) if key == "bpr" else peer)
        make_peer(run, key)
    capsys.readouterr()
    assert fitted(run, ("popularity", "bpr", "item-cosine-tuned")) == (
        "popularity",
        "item-cosine-tuned",
    )
    told = capsys.readouterr().err
    assert told == "evaluate: without bpr, all of whose trials failed: BPR: ValueError: NaN in " + (
        "factors\n"
    )
    write_tuning(run, ("bpr",))
    records = json.loads((run.folder / "tuning.json").read_text())
    assert {one["failed"] for one in records} == {"BPR: ValueError: NaN in factors"}
    assert {one["score"] for one in records} == {0.0}
    assert "failed" in (run.folder / "tuning.md").read_text()
