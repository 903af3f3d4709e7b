"""Data sets at the edge of what can be learned from: they train, or say what is missing."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.worlds import World, two_communities
from tests.support.runs import QUICK, make_run
from training.comparison import fit_models
from training.errors import TrainingError
from training.evaluate import evaluate
from training.ranking import Candidates


def with_a_lone_podcast(world: World) -> World:
    """Add a type that has one item, which everybody chose first."""
    lone = world.items.head(1).with_columns(
        item_id=pl.lit("podcast-000"), item_type=pl.lit("podcast"), creator=pl.lit("nobody else")
    )
    first = world.interactions.group_by("user_id", maintain_order=True).first()
    heard = first.with_columns(
        item_id=pl.lit("podcast-000"), timestamp=pl.col("timestamp") - 1
    ).select(world.interactions.columns)
    return dataclasses.replace(
        world,
        items=pl.concat([world.items, lone]),
        interactions=pl.concat([world.interactions, heard]),
    )


def test_one_item_type_trains(tmp_path: Path) -> None:
    run = make_run(tmp_path, two_communities(item_types=("book",)), settings=QUICK)
    assert run.graph.relations.names == ("book-book", "creator")
    assert np.isfinite(run.hgnn_vectors).all()


def test_item_type_with_a_single_item_trains(tmp_path: Path) -> None:
    run = make_run(tmp_path, with_a_lone_podcast(two_communities()), settings=QUICK)
    assert run.dataset.item_types == ("book", "film", "podcast")
    vectors = np.load(run.folder / "adaptation" / "item_vectors.npy")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def first_choices(world: World, count: int) -> World:
    """Leave each person's first choices alone."""
    kept = world.interactions.group_by("user_id", maintain_order=True).head(count)
    return dataclasses.replace(world, interactions=kept.select(world.interactions.columns))


def scores(stage: Path) -> list[str]:
    """Read the column `score` of a stage's log, epoch 0 included."""
    with (stage / "log.csv").open(newline="") as file:
        return [line["score"] for line in csv.DictReader(file)]


@pytest.mark.parametrize(("choices", "holding"), [(1, "nothing"), (2, "test")])
def test_where_nobody_can_be_asked_every_epoch_is_trained_and_a_line_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], choices: int, holding: str
) -> None:
    world = first_choices(two_communities(), choices)
    run = make_run(tmp_path, world, holding=holding, settings=QUICK)
    assert len(run.split.valid) == 0
    line = "adaptation: nothing to validate on, so all epochs are trained (1) and the last weights"
    assert capsys.readouterr().err.count(line) == 1
    assert scores(run.folder / "adaptation") == ["", ""]
    assert "" not in scores(run.folder / "foundation")


def test_people_with_two_choices_each_are_evaluated(tmp_path: Path) -> None:
    run = make_run(tmp_path, first_choices(two_communities(), 2), settings=QUICK)
    candidates = Candidates.of(run.dataset, run.split.train)
    result = evaluate(fit_models(run, ("popularity", "2t-hgnn")), run.split.test, candidates)
    assert {part.name for part in result.slices} >= {"overall", "cold"}
    assert len(result.cases) == len(run.dataset.users)


def test_one_interaction_in_all_trains(tmp_path: Path) -> None:
    world = two_communities()
    only = dataclasses.replace(world, interactions=world.interactions.head(1))
    run = make_run(tmp_path, only, holding="nothing", settings=QUICK)
    vectors = np.load(run.folder / "adaptation" / "item_vectors.npy")
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_one_person_is_too_few_and_the_message_says_why(tmp_path: Path) -> None:
    world = two_communities()
    alone = dataclasses.replace(
        world,
        interactions=world.interactions.filter(user_id="u000"),
        items=world.items.with_columns(creator=pl.lit("")),
        users=world.users.filter(user_id="u000"),
    )
    with pytest.raises(TrainingError, match="graph: expected at least one edge"):
        make_run(tmp_path, alone, holding="nothing", settings=QUICK)
    assert not (tmp_path / "run" / "foundation").exists()
