"""A sound data folder becomes a Dataset; an unusable one is refused by file and column."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tables.errors import DataError
from tables.folder import read_dataset
from tests.tables.folders import (
    NOW,
    dataset_of,
    events_table,
    items_table,
    named_events,
    write_folder,
)

EVENTS = [("ann", "f1", 30), ("ann", "b1", 10), ("bob", "f1", 20)]


def read(folder: Path, *, strict: bool = False) -> None:
    read_dataset(folder, strict=strict, now=NOW)


def test_items_are_sorted_by_type_then_id_and_people_by_id(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, ["f2", "b1", "f1"], EVENTS)
    assert dataset.items["item_id"].to_list() == ["b1", "f1", "f2"]
    assert dataset.item_types == ("book", "film")
    assert dataset.item_type.tolist() == [0, 1, 1]
    assert dataset.users["user_id"].to_list() == ["ann", "bob"]
    assert named_events(dataset) == [("ann", "b1"), ("ann", "f1"), ("bob", "f1")]


def test_optional_columns_that_are_missing_get_their_neutral_value(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, ["b1", "f1"], EVENTS)
    first = dataset.items.row(0, named=True)
    texts = {name: first[name] for name in ("description", "language", "creator")}
    assert texts == {"description": "", "language": "", "creator": ""}
    assert first["genres"] == []
    assert first["year"] is None
    assert dataset.interactions["weight"].to_list() == [1.0, 1.0, 1.0]
    assert set(dataset.interactions["role"]) == {"strong"}
    assert dataset.users.row(0) == ("ann", None, None, None)


def test_genres_are_split_trimmed_and_each_kept_once(tmp_path: Path) -> None:
    items = items_table("b1").with_columns(genres=pl.lit("war| love ||war"))
    write_folder(tmp_path, items=items, interactions=events_table([("ann", "b1", 1)]))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert dataset.items["genres"].to_list() == [["war", "love"]]


def test_genres_may_be_lists(tmp_path: Path) -> None:
    items = items_table("b1").with_columns(genres=pl.Series([["war", "love"]]))
    write_folder(tmp_path, items=items, interactions=events_table([("ann", "b1", 1)]))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert dataset.items["genres"].to_list() == [["war", "love"]]


def test_csv_reads_like_parquet(tmp_path: Path) -> None:
    events = events_table(EVENTS).with_columns(weight=pl.Series([0.5, None, 2.0]))
    items = items_table("b1", "f1").with_columns(
        year=pl.Series([1999, None]), genres=pl.Series(["a|b", ""])
    )
    users = pl.DataFrame({"user_id": ["ann", "eve"], "country": ["DE", None]})
    parquet = write_folder(tmp_path / "parquet", items=items, interactions=events, users=users)
    csv = tmp_path / "csv"
    csv.mkdir()
    items.write_csv(csv / "items.csv")
    events.write_csv(csv / "interactions.csv")
    users.write_csv(csv / "users.csv")
    one = read_dataset(parquet, strict=True, now=NOW)
    other = read_dataset(csv, strict=True, now=NOW)
    assert one.items.equals(other.items)
    assert one.users.equals(other.users)
    assert one.interactions.equals(other.interactions)


def test_numeric_ids_become_text(tmp_path: Path) -> None:
    items = items_table("b1").with_columns(item_id=pl.lit(7))
    events = pl.DataFrame({"user_id": [42], "item_id": [7]})
    write_folder(tmp_path, items=items, interactions=events)
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert named_events(dataset) == [("42", "7")]


def test_people_of_the_file_without_interaction_are_kept(tmp_path: Path) -> None:
    users = pl.DataFrame({"user_id": ["zoe", "ann"], "gender": ["f", "m"]})
    write_folder(
        tmp_path, items=items_table("b1", "f1"), interactions=events_table(EVENTS), users=users
    )
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert dataset.users.select("user_id", "gender").rows() == [
        ("ann", "m"),
        ("bob", None),
        ("zoe", "f"),
    ]


def test_the_order_of_the_rows_in_the_files_does_not_matter(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    ids = [f"{kind}{number}" for kind in "bf" for number in range(10)]
    events = [
        (f"u{rng.integers(6)}", ids[rng.integers(20)], int(rng.integers(4))) for _ in range(200)
    ]
    one = dataset_of(tmp_path / "one", ids, events)
    mixed = [events[i] for i in rng.permutation(len(events))]
    other = dataset_of(tmp_path / "other", [ids[i] for i in rng.permutation(20)], mixed)
    assert one.items.equals(other.items)
    assert one.interactions.equals(other.interactions)


def test_roles_follow_dataset_toml(tmp_path: Path) -> None:
    dataset = dataset_of(
        tmp_path,
        ["b1", "f1"],
        EVENTS,
        toml='[signals]\nplay = "strong"\nfollow = "weak"\nskip = "negative"\n',
        signal=["play", "follow", "skip"],
    )
    assert dataset.interactions.select("signal", "role").rows() == [
        ("follow", "weak"),
        ("play", "strong"),
        ("skip", "negative"),
    ]


def test_columns_outside_the_contract_are_noticed_once_and_ignored(tmp_path: Path) -> None:
    items = items_table("b1", "f1").with_columns(price=pl.lit(3), shelf=pl.lit("x"))
    write_folder(tmp_path, items=items, interactions=events_table(EVENTS))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert "price" not in dataset.items.columns
    notices = [notice for notice in dataset.problems.notices if "ignored" in notice]
    assert notices == ["items.parquet: ignored columns outside the contract: price, shelf"]


def test_rows_without_any_order_are_told_of(tmp_path: Path) -> None:
    events = [("ann", "b1", None), ("ann", "b2", None), ("bob", "b1", 5)]
    some = dataset_of(tmp_path / "some", ["b1", "b2"], events)
    assert some.problems.notices == (
        "interactions: 2 rows with neither time nor seq count as oldest",
    )
    none = dataset_of(tmp_path / "none", ["b1", "b2"], events[:2])
    (notice,) = none.problems.notices
    assert "a hash of the seed, the person and the item decides the whole order" in notice


def test_nothing_after_as_of_is_visible(tmp_path: Path) -> None:
    write_folder(
        tmp_path,
        items=items_table("b1", "f1"),
        interactions=events_table([*EVENTS, ("eve", "b1", None)]),
    )
    dataset = read_dataset(tmp_path, strict=True, as_of=20, now=NOW)
    assert named_events(dataset) == [("ann", "b1"), ("bob", "f1")]
    assert "1 later rows and 1 without a time" in dataset.problems.render()


def test_one_user_one_type_and_a_lone_item_are_legal(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, ["b1"], [("ann", "b1", 1)])
    assert dataset.item_types == ("book",)
    assert len(dataset.users) == 1


@pytest.mark.parametrize("file", ["items", "interactions"])
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    write_folder(tmp_path, items=items_table("b1"), interactions=events_table(EVENTS))
    (tmp_path / f"{file}.parquet").unlink()
    with pytest.raises(DataError, match=f"neither {file}.parquet nor {file}.csv"):
        read(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere: not a folder"):
        read(tmp_path / "nowhere")


def test_the_same_table_twice_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, items=items_table("b1"), interactions=events_table(EVENTS))
    items_table("b1").write_csv(tmp_path / "items.csv")
    with pytest.raises(DataError, match=r"both items\.parquet and items\.csv"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "column"),
    [
        ("items", "item_id"),
        ("items", "item_type"),
        ("items", "title"),
        ("interactions", "user_id"),
        ("interactions", "item_id"),
        ("users", "user_id"),
    ],
)
def test_a_missing_column_is_named_with_its_file(tmp_path: Path, file: str, column: str) -> None:
    tables = {
        "items": items_table("b1"),
        "interactions": events_table(EVENTS),
        "users": pl.DataFrame({"user_id": ["ann"], "country": ["DE"]}),
    }
    tables[file] = tables[file].drop(column)
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match=rf"{file}\.parquet: column '{column}' is missing"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("items", "item_id", 1.5),
        ("items", "title", 3),
        ("items", "genres", 3),
        ("items", "year", True),
        ("interactions", "user_id", True),
        ("interactions", "timestamp", True),
        ("interactions", "weight", True),
        ("interactions", "split", 1),
    ],
)
def test_a_wrong_dtype_is_named_with_file_and_column(
    tmp_path: Path, file: str, column: str, value: object
) -> None:
    tables = {"items": items_table("b1", "f1"), "interactions": events_table(EVENTS)}
    tables[file] = tables[file].with_columns(pl.lit(value).alias(column))
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match=rf"{file}\.parquet: column '{column}': expected .*, got"):
        read(tmp_path)


def test_zero_interactions_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, items=items_table("b1"), interactions=events_table([]))
    with pytest.raises(DataError, match="interactions: no sound row left"):
        read(tmp_path)


def test_a_catalogue_without_a_sound_item_is_refused(tmp_path: Path) -> None:
    items = items_table("b1").with_columns(item_type=pl.lit(None, dtype=pl.String))
    write_folder(tmp_path, items=items, interactions=events_table(EVENTS))
    with pytest.raises(DataError, match="items: no sound row left") as caught:
        read(tmp_path)
    assert caught.value.problems.count("null_item_type") == 1


def test_an_empty_csv_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("")
    with pytest.raises(DataError, match=r"items\.csv: the file is empty"):
        read(tmp_path)


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    write_folder(tmp_path, items=items_table("b1"), interactions=events_table(EVENTS))
    path = tmp_path / "interactions.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"interactions\.parquet: cannot be read"):
        read(tmp_path)


@pytest.mark.parametrize("title", ['"Weird Al" Yankovic', '12" vinyl', '"unclosed'])
def test_a_quote_that_is_not_doubled_is_refused_with_the_way_out(
    tmp_path: Path, title: str
) -> None:
    (tmp_path / "items.csv").write_text(f"item_id,item_type,title\nb1,book,{title}\nb2,book,two\n")
    with pytest.raises(DataError, match=r"items\.csv: cannot be read: .* written twice$"):
        read(tmp_path)


def test_a_csv_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes(b"item_id,item_type,title\nb1,book,\xff\xfe\n")
    with pytest.raises(DataError, match=r"items\.csv: cannot be read"):
        read(tmp_path)
