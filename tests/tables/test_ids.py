"""Ids that two files write differently are joined, or it is said what differs."""

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.tables.folders import NOW, named_events

PLAIN, FLOAT = ["12", "7", "30"], ["12.0", "7.0", "30.0"]


def read(
    folder: Path, items: Sequence[str], asked: Sequence[str], users: Sequence[str] = ()
) -> Dataset:
    """Read items of some ids, one interaction with each id asked for, and people."""
    catalogue = pl.DataFrame({"item_id": ["other", *items]}).with_columns(
        item_type=pl.lit("film"), title="item_id"
    )
    if all(one.replace(".", "").isdigit() for one in items):
        catalogue = catalogue[1:]
    catalogue.write_csv(folder / "items.csv")
    events = pl.DataFrame({"user_id": asked, "item_id": asked})
    events.write_csv(folder / "interactions.csv")
    if users:
        pl.DataFrame({"user_id": users, "country": "DE"}).write_csv(folder / "users.csv")
    return read_dataset(folder, strict=False, now=NOW)


@pytest.mark.parametrize(("items", "asked"), [(PLAIN, FLOAT), (FLOAT, PLAIN)])
def test_12_0_and_12_are_joined_where_all_are_whole_and_it_is_said(
    tmp_path: Path, items: Sequence[str], asked: Sequence[str]
) -> None:
    dataset = read(tmp_path, items, asked)
    assert dataset.problems.kinds == ()
    assert {item for _, item in named_events(dataset)} == set(PLAIN)
    file = "items.csv" if items == FLOAT else "interactions.csv"
    said = f"{file}: item_id written as 12.0 and read as 12: 3 rows"
    assert said in dataset.problems.notices


@pytest.mark.parametrize("gap", ["", '""'])
def test_a_gap_among_them_keeps_nothing_apart(tmp_path: Path, gap: str) -> None:
    (tmp_path / "items.csv").write_text("item_id,item_type,title\n12,film,one\n")
    (tmp_path / "interactions.csv").write_text(f'user_id,item_id\nann,"12.0"\nann,{gap}\n')
    dataset = read_dataset(tmp_path, strict=False, now=NOW)
    assert named_events(dataset) == [("ann", "12")]


def test_people_are_joined_likewise(tmp_path: Path) -> None:
    dataset = read(tmp_path, PLAIN, PLAIN, FLOAT)
    assert dataset.users.select("user_id", "country").rows() == [
        (user, "DE") for user in sorted(PLAIN)
    ]
    assert "users.csv: user_id written as 12.0" in dataset.problems.render()


def test_ids_in_float_form_on_both_sides_stay_as_they_are(tmp_path: Path) -> None:
    dataset = read(tmp_path, FLOAT, FLOAT)
    assert {item for _, item in named_events(dataset)} == set(FLOAT)
    assert "12.0" not in dataset.problems.render()


NFD = unicodedata.normalize("NFD", "café")


@pytest.mark.parametrize(
    ("items", "asked", "hint"),
    [
        (PLAIN, ["12.0", "7.0", "x1.5"], "float form: '12.0' here, '12' in items.csv"),
        (["tt1", "tt2"], ["TT1", "TT2"], "letter case: 'TT1' here, 'tt1' in items.csv"),
        (["tt1 ", "tt2"], ["tt1", "tt 2"], "white space: 'tt1' here, 'tt1 ' in items.csv"),
        (["café"], [NFD], f"Unicode form: {NFD!r} here, 'café' in items.csv"),
        (["007", "008"], ["7", "8"], "leading zeros: '7' here, '007' in items.csv"),
        (["tt1 "], ["TT1"], "several of white space, letter case and form: 'TT1' here, 'tt1 ' in"),
    ],
)
def test_most_unknown_items_get_a_hint_of_what_differs(
    tmp_path: Path, items: Sequence[str], asked: Sequence[str], hint: str
) -> None:
    dataset = read(tmp_path, [*items, "sound"], [*asked, "sound"])
    assert dataset.problems.count("unknown_item") == len(asked)
    assert f"the ids differ in {hint}" in dataset.problems.render()


def test_ids_with_nothing_in_common_are_shown_side_by_side(tmp_path: Path) -> None:
    report = read(tmp_path, ["tt1", "sound"], ["99", "98", "sound"]).problems.render()
    assert "for example '99' here, 'other' in items.csv" in report


@pytest.mark.parametrize(("few", "hinted"), [(["TT1"], True), (["TT1", "x", "y"], False)])
def test_a_few_unknown_items_get_a_hint_if_it_explains_most_of_them(
    tmp_path: Path, few: Sequence[str], hinted: bool
) -> None:
    known = [f"tt{number}" for number in range(9)]
    report = read(tmp_path, known, [*known, *few]).problems.render()
    assert ("the ids differ in letter case" in report) is hinted
    assert "for example" not in report


def test_people_of_whom_most_are_in_no_file_get_a_hint_if_it_is_seen_why(tmp_path: Path) -> None:
    asked = ["tt1", "tt2"]
    hint = "most people are not in users.csv: the ids differ in letter case: 'tt1' here, 'TT1' in"
    assert hint in read(tmp_path, asked, asked, ["TT1", "TT2"]).problems.render()
    assert "most people" not in read(tmp_path, asked, asked, ["zed"]).problems.render()


def test_unknown_items_whose_own_rows_were_set_aside_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("item_id,item_type,title\nb1,book,one\nb2,,two\n")
    (tmp_path / "interactions.csv").write_text("user_id,item_id\nann,b1\nann,b2\nbob,b2\n")
    report = read_dataset(tmp_path, strict=False, now=NOW).problems
    assert [problem.kind for problem in report.kinds] == ["null_item_type", "unknown_item"]
    assert "2 of them name an item whose row was set aside" in report.render()
