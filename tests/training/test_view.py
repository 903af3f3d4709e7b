"""What is kept from a run: other types, and what came after a moment."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from features.years import PLACES
from graph.errors import SplitError
from graph.lending import Split
from graph.split import hold_out
from graph.worlds import FIRST_TIME, STEP_S, two_communities, write_world
from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.support.runs import QUICK, make_run, make_stages
from training.pipeline import Inputs, Run
from training.view import View

LATER = FIRST_TIME + 5 * STEP_S


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("world")
    write_world(two_communities(), folder)
    return read_dataset(folder, strict=True)


@pytest.fixture(scope="module")
def split(dataset: Dataset) -> Split:
    return hold_out(dataset)


@pytest.mark.parametrize("item_type", ["book", "film"])
def test_a_single_type_sees_no_other_and_is_asked_the_same(
    dataset: Dataset, split: Split, item_type: str
) -> None:
    view = View(item_type=item_type)
    alone, part = view.of_dataset(dataset), view.of_split(dataset, split)
    first = dataset.items["item_id"].to_list().index(f"{item_type}-000")
    assert alone.item_types == (item_type,)
    assert alone.items.equals(dataset.items[first : first + 12])
    assert alone.users.equals(dataset.users)

    ids = alone.items["item_id"].to_numpy()
    everything = dataset.items["item_id"].to_numpy()
    for rows, whole in ((part.train, split.train), (alone.interactions, dataset.interactions)):
        named = [(user, ids[row]) for user, row in rows.select("user_row", "item_row").iter_rows()]
        expected = [
            (user, everything[row])
            for user, row in whole.select("user_row", "item_row").iter_rows()
            if everything[row].startswith(item_type)
        ]
        assert named == expected
    asked = np.flatnonzero(dataset.item_type[split.test.target] == list("bf").index(item_type[0]))
    assert 0 < len(asked) < len(split.test)
    assert np.array_equal(part.test.user_row, split.test.user_row[asked])
    assert ids[part.test.target].tolist() == everything[split.test.target[asked]].tolist()
    for case, place in enumerate(asked):
        of_type = [row for row in split.test.history(int(place)) if first <= row < first + 12]
        assert part.test.history(case).tolist() == [row - first for row in of_type]
        assert part.test.barred(case).tolist() == part.test.history(case).tolist()


def test_the_texts_of_a_single_type_are_its_own(tmp_path: Path) -> None:
    whole = make_run(tmp_path, two_communities(), settings=QUICK)
    alone = Run(whole.folder, replace(whole.inputs, view=View(item_type="film")))
    make_stages(alone)
    assert len(alone.text) == len(alone.hgnn_vectors) == 12
    assert np.array_equal(alone.text, whole.text[12:])
    assert alone.graph.relations.names == ("film-film", "creator")
    assert len(alone.graph.edges("film-film")) > 0


def test_without_text_items_differ_and_nothing_is_said_of_them() -> None:
    said = np.eye(50, 384, dtype=np.float32)
    drawn = View(without_text=True).of_text(said)
    assert drawn.shape == said.shape
    np.testing.assert_allclose(np.linalg.norm(drawn, axis=1), 1, rtol=1e-5)
    assert np.abs((drawn @ drawn.T)[~np.eye(50, dtype=bool)]).max() < 0.3
    np.testing.assert_array_equal(View(without_text=True).of_text(said), drawn)
    assert View().of_text(said) is said


def test_without_people_their_rows_stay_and_nothing_is_told_of_them(tmp_path: Path) -> None:
    run = make_run(tmp_path, two_communities(), settings=QUICK)
    told = run.dataset.users.with_columns(country=pl.lit("AT"), age_bucket=pl.lit("18-24"))
    view = View(without_people=True)
    seen = view.of_dataset(replace(run.dataset, users=told)).users
    assert seen["user_id"].to_list() == told["user_id"].to_list()
    assert seen.schema == told.schema
    assert seen.null_count().row(0, named=True) == {
        "user_id": 0,
        **dict.fromkeys(("country", "age_bucket", "gender"), len(told)),
    }
    whole = run.inputs
    assert replace(whole, view=view).graph_part == whole.graph_part
    assert replace(whole, view=view).part != whole.part


def test_without_years_no_item_has_one(tmp_path: Path) -> None:
    whole = make_run(tmp_path, two_communities(), settings=QUICK)
    undated = Run(whole.folder, replace(whole.inputs, view=View(without_years=True)))
    seen, dated = undated.dataset, whole.dataset
    assert seen.items["year"].null_count() == len(seen.items)
    assert seen.items.schema == dated.items.schema
    assert seen.items.drop("year").equals(dated.items.drop("year"))
    assert seen.catalogue != dated.catalogue
    assert whole.content.shape == (len(dated.items), whole.text.shape[1] + PLACES)
    assert undated.content is undated.text
    assert undated.inputs.graph_part != whole.inputs.graph_part


def test_a_type_that_is_none_is_named(dataset: Dataset) -> None:
    with pytest.raises(SplitError, match="item type 'game', expected one of"):
        View(item_type="game").of_dataset(dataset)


def test_an_old_graph_knows_nothing_newer(split: Split) -> None:
    seen = View(graph_until=LATER).of_graph(split.train)
    assert 0 < len(seen) < len(split.train)
    assert int(seen["timestamp"].max()) < LATER  # type: ignore[arg-type]
    assert View().of_graph(split.train) is split.train


def test_old_towers_learn_from_nothing_newer_and_are_asked_the_same(
    dataset: Dataset, split: Split
) -> None:
    old = View(towers_until=LATER).of_towers(dataset, split, 0)
    assert int(old.train["timestamp"].max()) < LATER  # type: ignore[arg-type]
    assert old.test is split.test
    lent = len(old.valid)
    assert lent > 0
    before = dataset.interactions.filter(dataset.interactions["timestamp"] < LATER)
    assert len(old.train) == len(before) - lent
    with pytest.raises(SplitError, match="no interaction before"):
        View(towers_until=FIRST_TIME).of_towers(dataset, split, 0)


def test_what_is_lent_to_old_towers_is_in_no_graph_of_theirs(tmp_path: Path) -> None:
    write_world(two_communities(), tmp_path / "data")
    views = View(graph_until=LATER, towers_until=LATER), View(graph_until=LATER)
    old, fresh = (
        Run(tmp_path / "run", Inputs(tmp_path / "data", "test", QUICK, view=view)) for view in views
    )
    old.make_dataset()
    lent = set(zip(old.split.valid.user_row.tolist(), old.split.valid.target.tolist(), strict=True))
    assert lent
    assert not lent & set(old.graph_train.select("user_row", "item_row").iter_rows())
    assert lent & set(fresh.graph_train.select("user_row", "item_row").iter_rows())
    for run in (old, fresh):
        assert not len(run.graph_train.filter(pl.col("timestamp") >= LATER))
    assert old.inputs.graph_part != fresh.inputs.graph_part


def test_old_towers_of_a_divided_data_set_learn_from_its_train_part(tmp_path: Path) -> None:
    world = two_communities()
    late = world.interactions["timestamp"] >= FIRST_TIME + 6 * STEP_S
    names = np.where(late.to_numpy(), "test", "train")
    write_world(replace(world, interactions=world.interactions.with_columns(split=names)), tmp_path)
    dataset = read_dataset(tmp_path, strict=True)
    old = View(towers_until=LATER).of_towers(dataset, hold_out(dataset), 0)
    assert set(old.train["split"]) == {"train"}


def test_a_view_is_described_by_what_differs() -> None:
    assert View().described == ""
    assert View(item_type="book", graph_until=7).described == "item_type book, graph_until 7"
    assert View(held_days=0.0, without_text=True).described == "held_days 0.0, without_text"
