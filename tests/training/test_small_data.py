"""Data sets at the edge of what can be learned from: they train, or say what is missing."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.worlds import World, two_communities
from tests.support.runs import QUICK, make_run
from training.errors import TrainingError


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
