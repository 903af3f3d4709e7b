"""The lists of rows: what each changes, and which of them a data set says something about."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from graph.build import build_graph
from graph.errors import SplitError
from graph.worlds import World, two_communities, write_world
from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.tables.folders import dataset_of
from training.ablation_rows import ablations
from training.curve_rows import Windows, foundation_age, unseen_items
from training.errors import TrainingError
from training.settings import Settings
from training.variants import DEFAULT, Reference, Variant, choose

TWINS = ({DEFAULT, "dropout-0.2"}, {"no-content", "dropout-0.2-no-content"})
"""The default dropout is 0.2, and both lists leave out content relations."""


def rows_of(world: World, folder: Path) -> dict[str, Variant]:
    write_world(world, folder)
    dataset = read_dataset(folder, strict=True)
    graph = build_graph(dataset.items, dataset.interactions)
    return {row.name: row for row in (*ablations(dataset, graph), *unseen_items(graph))}


def test_every_row_is_a_valid_change_of_its_own(tmp_path: Path) -> None:
    rows = rows_of(two_communities(), tmp_path)
    made = {name: (row.settings(Settings(), 3), row.view, row.models) for name, row in rows.items()}
    for name, row in rows.items():
        assert made[name][0].adaptation.seed == made[name][0].fusion.seed == 3
        assert made[name][0].seed == 0  # of the data: all seeds are asked the same
        alike = {other for other in made if made[other] == made[name]}
        assert alike == {name} or alike in TWINS, row.meaning
    assert made["without-book-film"][0].graph.without == ("book-film",)
    assert made["only-creator"][0].graph.only == ("creator",)
    assert made["no-content"][0].graph.content_relations == ()
    assert made["balanced"][0].foundation.sampler == "balanced"
    assert made["all-edges"][0].foundation.sampler == "all"
    assert made["alone-book"][1].item_type == "book"
    assert made["plain-edges-of-one"][0].graph.min_users == 1
    assert made["pooled-once"][0].adaptation.pool_by_type is False
    assert made["copies-0-no-content"][0].foundation.copied_up_to == 2


def test_types_that_would_share_a_folder_have_rows_of_their_own(tmp_path: Path) -> None:
    rows = rows_of(two_communities(item_types=("sci fi", "sci/fi")), tmp_path)
    alone = {name: row.view.item_type for name, row in rows.items() if name.startswith("alone")}
    assert alone == {"alone-sci_fi": "sci fi", "alone-sci_fi-2": "sci/fi"}


def test_a_row_that_the_data_says_nothing_about_has_its_reason(tmp_path: Path) -> None:
    rows = rows_of(two_communities(), tmp_path / "two")
    assert {name: row.problem for name, row in rows.items() if row.problem} == {
        "no-weak-signals": "the data set has no weak signals"
    }
    world = two_communities(item_types=("book",))
    bare = rows_of(replace(world, items=world.items.with_columns(creator=pl.lit(""))), tmp_path)
    problems = {name: row.problem for name, row in bare.items() if row.problem}
    assert problems["alone-book"] == "there is no other type"
    assert problems["only-creator"] == "the graph has no such edge"
    assert problems["without-book-book"] == "the graph has no other edges"
    assert problems["no-content"] == problems["dropout-0-no-content"]


def test_a_row_names_what_it_is_compared_with(tmp_path: Path) -> None:
    rows = rows_of(two_communities(), tmp_path)
    towers = Reference(DEFAULT, "2t-hgnn")
    assert rows[DEFAULT].references("2t-hgnn") == ()
    assert rows[DEFAULT].references("hgnn-knn") == (towers,)
    assert rows["2t"].references("2t") == (towers,)
    assert rows["people-in-graph"].references("people-knn") == (Reference(DEFAULT, "hgnn-knn"),)
    assert rows["pooled-once"].references("nearfield") == (
        Reference(DEFAULT, "nearfield"),
        Reference("pooled-per-type", "nearfield"),
    )


def test_chosen_rows_bring_what_they_are_compared_with(tmp_path: Path) -> None:
    rows = tuple(rows_of(two_communities(), tmp_path).values())
    chosen = [row.name for row in choose(rows, ["pooled-once", "mean"])]
    assert chosen == [DEFAULT, "pooled-per-type", "pooled-once", "mean"]
    with pytest.raises(TrainingError, match="unknown 'median', expected some of default,"):
        choose(rows, ["median"])


@pytest.fixture
def timed(tmp_path: Path) -> Dataset:
    write_world(two_communities(), tmp_path)
    return read_dataset(tmp_path, strict=True)


def test_windows_hold_equally_many_interactions(timed: Dataset) -> None:
    windows = Windows.of(timed, 4)
    times = timed.interactions["timestamp"]
    counted = [int((times < end).sum()) for end in windows.ends]
    assert counted == [len(times) * number // 4 for number in (1, 2, 3, 4)]
    assert windows.before_last(0) == windows.ends[2]
    held = int(windows.held_days * 86_400)
    assert int(times.max()) + 1 - held == windows.ends[2]  # type: ignore[arg-type]


def test_older_foundations_know_less_and_their_towers_are_fresh_or_old(timed: Dataset) -> None:
    windows = Windows.of(timed, 4)
    rows = {row.name: row for row in foundation_age(windows, (0, 1, 2, 3))}
    assert list(rows)[:3] == [DEFAULT, "age-1-towers-fresh", "age-1-towers-old"]
    assert rows["age-2-towers-fresh"].view.graph_until == windows.ends[0]
    assert rows["age-2-towers-fresh"].view.towers_until is None
    assert rows["age-2-towers-old"].view.towers_until == windows.ends[0]
    assert rows["age-3-towers-old"].problem == "there are only 4 windows"
    assert len({row.view.held_days for row in rows.values()}) == 1


@pytest.mark.parametrize(
    ("times", "message"),
    [([None, None], "no interaction has a timestamp"), ([7, 7], "one of them is empty")],
)
def test_windows_without_time_are_refused(
    tmp_path: Path, times: list[int | None], message: str
) -> None:
    events = [("ann", item, moment) for item, moment in zip(("b0", "b1"), times, strict=True)]
    with pytest.raises(SplitError, match=message):
        Windows.of(dataset_of(tmp_path, ["b0", "b1"], events), 2)


def test_one_window_leaves_nothing_to_learn_from(timed: Dataset) -> None:
    with pytest.raises(SplitError, match="windows: expected at least 2, got 1"):
        Windows.of(timed, 1)
