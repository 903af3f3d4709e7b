"""Towers that do not hear weak signals: neither in training nor when they are asked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.worlds import World, two_communities, write_world
from tests.support.runs import QUICK, make_stages
from training.comparison import fit_models
from training.hearing import Hearing
from training.pipeline import Inputs, Run
from training.settings import Settings

ROLES = '[signals]\nstream = "strong"\nfollow = "weak"\n'
WORLD = two_communities(people=30, items_per_type=16)
DEAF = replace(QUICK, adaptation=replace(QUICK.adaptation, weak_signals=False))


def with_weak(world: World) -> World:
    """Let every person's third choice have been a follow alone."""
    third = pl.int_range(pl.len()).over("user_id") == 2
    signal = pl.when(third).then(pl.lit("follow")).otherwise("signal")
    return replace(world, interactions=world.interactions.with_columns(signal=signal))


def make(folder: Path, world: World, settings: Settings) -> Run:
    write_world(world, folder / "data")
    (folder / "data" / "dataset.toml").write_text(ROLES)
    run = Run(folder / "run", Inputs(data=folder / "data", holding="test", settings=settings))
    make_stages(run)
    return run


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("deaf"), with_weak(WORLD), DEAF)


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return make(tmp_path_factory.mktemp("hearing"), with_weak(WORLD), QUICK)


def test_training_without_weak_signals_is_training_on_data_that_has_none(
    deaf: Run, hearing: Run, tmp_path: Path
) -> None:
    world = with_weak(WORLD)
    strong = world.interactions.filter(signal="stream")
    bare = make(tmp_path, replace(world, interactions=strong), QUICK)
    for name in ("adaptation/item_vectors.npy", "fusion/pair_weights.npy"):
        expected = np.load(bare.folder / name)
        assert np.array_equal(np.load(deaf.folder / name), expected), name
    scorer = (bare.folder / "fusion" / "scorer.json").read_text()
    assert (deaf.folder / "fusion" / "scorer.json").read_text() == scorer
    vectors = np.load(bare.folder / "adaptation" / "item_vectors.npy")
    assert not np.array_equal(np.load(hearing.folder / "adaptation/item_vectors.npy"), vectors)


@pytest.mark.parametrize("model", ["2t-hgnn", "nearfield"])
def test_models_answer_as_if_there_were_no_weak_signals(
    deaf: Run, hearing: Run, model: str
) -> None:
    cases = deaf.split.test
    assert len(cases.history_rows) > len(cases.without_weak().history_rows)
    scores = []
    for run in (deaf, hearing):
        ranker = next(fit_models(run, (model,)))
        scores.append((ranker.score(cases), ranker.score(cases.without_weak())))
    assert np.array_equal(*scores[0])
    assert not np.array_equal(*scores[1])


def test_the_settings_say_that_a_server_would_not_follow() -> None:
    assert DEAF.adaptation.comparison_only == ("weak_signals",)
    assert QUICK.adaptation.comparison_only == ()


def test_hearing_keeps_the_name_of_the_ranker(deaf: Run) -> None:
    ranker = next(fit_models(deaf, ("nearfield",)))
    assert isinstance(ranker, Hearing)
    assert ranker.name == "nearfield"
