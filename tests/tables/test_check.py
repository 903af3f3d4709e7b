"""Every kind of bad row is named, counted, shown and set aside, or refused under strict."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from tables.dataset import Dataset
from tables.errors import DataError
from tables.folder import read_dataset
from tests.tables.folders import NOW, events_table, items_table, named_events, write_folder

ROLES = '[signals]\nplay = "strong"\n'


def event(**changes: object) -> dict[str, object]:
    sound = {"user_id": "ann", "item_id": "b1", "timestamp": 10, "seq": 1, "signal": "play"}
    return {**sound, "weight": 1.0, "split": "train", **changes}


def item(**changes: object) -> dict[str, object]:
    return {"item_id": "b2", "item_type": "book", "title": "sound", "year": 1999, **changes}


BAD_EVENTS: list[tuple[str, str, Mapping[str, object]]] = [
    ("null_user_id", "user_id", {"user_id": None}),
    ("null_user_id", "user_id", {"user_id": "  "}),
    ("null_item_id", "item_id", {"item_id": None}),
    ("unknown_item", "item_id", {"item_id": "b9"}),
    ("future", "timestamp", {"timestamp": NOW + 1}),
    ("milliseconds", "timestamp", {"timestamp": NOW * 1000}),
    ("microseconds", "timestamp", {"timestamp": NOW * 1_000_000}),
    ("nanoseconds", "timestamp", {"timestamp": NOW * 1_000_000_000}),
    ("bad_timestamp", "timestamp", {"timestamp": -5}),
    ("bad_weight", "weight", {"weight": float("inf")}),
    ("bad_weight", "weight", {"weight": -1.0}),
    ("zero_weight", "weight", {"weight": 0.0}),
    ("long_user_id", "user_id", {"user_id": "é" * 257}),
    ("long_item_id", "item_id", {"item_id": "b" * 513}),
    ("bad_weight", "weight", {"weight": 1e39}),
    ("bad_weight", "weight", {"weight": 1e-50}),
    ("unknown_signal", "signal", {"signal": "stare"}),
    ("unknown_signal", "signal", {"signal": None}),
    ("unknown_split", "split", {"split": "holdout"}),
    ("unknown_split", "split", {"split": None}),
]
BAD_ITEMS: list[tuple[str, str, Mapping[str, object]]] = [
    ("null_item_id", "item_id", {"item_id": None}),
    ("null_item_id", "item_id", {"item_id": ""}),
    ("null_item_type", "item_type", {"item_type": None}),
    ("null_item_type", "item_type", {"item_type": " "}),
    ("long_item_id", "item_id", {"item_id": "b" * 513}),
    ("duplicate_item", "item_id", {"item_id": "b1"}),
    ("item_without_text", "title", {"title": ""}),
    ("item_without_text", "title", {"title": None}),
    ("item_without_text", "title", {"title": "\x00\x07 \u200b"}),
]


PAGE = Path(__file__).parents[2] / "docs" / "data.md"


@pytest.mark.parametrize("kind", sorted({kind for kind, *_ in (*BAD_EVENTS, *BAD_ITEMS)}))
def test_every_kind_stands_on_the_page_of_the_data_contract(kind: str) -> None:
    assert f"`{kind}`" in PAGE.read_text(encoding="utf-8")


def folder_with(
    folder: Path,
    *,
    items: Mapping[str, object] | None = None,
    events: Mapping[str, object] | None = None,
) -> Path:
    catalogue = [item(item_id="b1"), item()] + ([item(**items)] if items else [])
    rows = [event(), event(user_id="bob")] + ([event(**events)] if events else [])
    return write_folder(
        folder,
        items=pl.DataFrame(catalogue),
        interactions=pl.DataFrame(rows, infer_schema_length=None),
        toml=ROLES,
    )


def check_one(folder: Path, kind: str, field: str, file: str) -> Dataset:
    rejected_path = folder / "out" / "rejected.parquet"
    dataset = read_dataset(folder, strict=False, now=NOW, rejected_path=rejected_path)
    assert [problem.kind for problem in dataset.problems.kinds] == [kind]
    problem = dataset.problems.kinds[0]
    assert (problem.file, problem.field, problem.count) == (file, field, 1)
    assert problem.examples[0].startswith("row 3, ")
    assert f"{field} " in problem.examples[0]
    rejected = pl.read_parquet(rejected_path)
    assert rejected.select("problem", "file", "row").rows() == [(kind, file, 3)]
    return dataset


@pytest.mark.parametrize(("kind", "field", "changes"), BAD_EVENTS)
def test_a_bad_interaction_is_named_and_set_aside(
    tmp_path: Path, kind: str, field: str, changes: Mapping[str, object]
) -> None:
    folder = folder_with(tmp_path, events=changes)
    dataset = check_one(folder, kind, field, "interactions.parquet")
    assert named_events(dataset) == [("ann", "b1"), ("bob", "b1")]


@pytest.mark.parametrize(("kind", "field", "changes"), BAD_ITEMS)
def test_a_bad_item_is_named_and_set_aside(
    tmp_path: Path, kind: str, field: str, changes: Mapping[str, object]
) -> None:
    changed = {"item_id": "b3", **changes}
    dataset = check_one(folder_with(tmp_path, items=changed), kind, field, "items.parquet")
    assert dataset.items["item_id"].to_list() == ["b1", "b2"]


@pytest.mark.parametrize(("kind", "field", "changes"), BAD_EVENTS)
def test_strict_refuses_and_writes_nothing(
    tmp_path: Path, kind: str, field: str, changes: Mapping[str, object]
) -> None:
    folder = folder_with(tmp_path / "data", events=changes)
    rejected_path = tmp_path / "out" / "rejected.parquet"
    with pytest.raises(DataError, match="strict: 1 bad rows") as caught:
        read_dataset(folder, strict=True, now=NOW, rejected_path=rejected_path)
    assert kind in str(caught.value)
    assert field in str(caught.value)
    assert not rejected_path.parent.exists()


def test_the_first_of_two_rows_with_one_id_counts(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, items={"item_id": "b1", "title": "second"})
    dataset = read_dataset(folder, strict=False, now=NOW)
    assert dataset.items.filter(pl.col("item_id") == "b1")["title"].to_list() == ["sound"]


def test_a_duplicate_user_is_named(tmp_path: Path) -> None:
    users = pl.DataFrame({"user_id": ["ann", "ann", None], "country": ["DE", "FR", "IT"]})
    folder = write_folder(
        tmp_path,
        items=items_table("b1"),
        interactions=events_table([("ann", "b1", 1)]),
        users=users,
    )
    dataset = read_dataset(folder, strict=False, now=NOW)
    assert dataset.problems.count("duplicate_user") == 1
    assert dataset.problems.count("null_user_id") == 1
    assert dataset.users.rows() == [("ann", "DE", None, None)]


def test_long_values_are_cut_in_examples_and_whole_in_the_file(tmp_path: Path) -> None:
    users = pl.DataFrame({"user_id": ["u" * 600, "ann"]})
    folder = folder_with(tmp_path)
    users.write_parquet(folder / "users.parquet")
    rejected_path = tmp_path / "rejected.parquet"
    dataset = read_dataset(folder, strict=False, now=NOW, rejected_path=rejected_path)
    (problem,) = dataset.problems.kinds
    assert (problem.kind, problem.file) == ("long_user_id", "users.parquet")
    assert problem.examples == (f"row 1, user_id '{'u' * 80}'…",)
    assert pl.read_parquet(rejected_path)["user_id"].to_list() == ["u" * 600]


def test_the_same_interaction_twice_is_legal(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path,
        items=items_table("b1"),
        interactions=events_table([("ann", "b1", 1), ("ann", "b1", 1)]),
    )
    dataset = read_dataset(folder, strict=True, now=NOW)
    assert len(dataset.interactions) == 2


def test_an_interaction_with_an_item_that_was_set_aside_is_set_aside_too(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, items={"item_id": "b3", "title": None}, events={"item_id": "b3"})
    dataset = read_dataset(folder, strict=False, now=NOW)
    kinds = [(problem.kind, problem.count) for problem in dataset.problems.kinds]
    assert kinds == [("item_without_text", 1), ("unknown_item", 1)]


def test_a_row_with_two_problems_counts_once(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, events={"item_id": "b9", "weight": -1.0})
    dataset = read_dataset(folder, strict=False, now=NOW)
    assert dataset.problems.total == 1
    assert dataset.problems.count("unknown_item") == 1


def test_values_of_a_csv_that_cannot_be_read_are_bad_rows(tmp_path: Path) -> None:
    items_table("b1").write_csv(tmp_path / "items.csv")
    (tmp_path / "interactions.csv").write_text(
        "user_id,item_id,timestamp,weight,seq\n"
        "ann,b1,10,1.5,1\n"
        "ann,b1,yesterday,1,2\n"
        "ann,b1,noon,1,3\n"
        "ann,b1,13.0,1,4\n"
        "ann,b1,14,heavy,5\n"
        "ann,b1,15,1,first\n",
        encoding="utf-8",
    )
    dataset = read_dataset(tmp_path, strict=False, now=NOW)
    kinds = [(problem.kind, problem.count) for problem in dataset.problems.kinds]
    assert kinds == [("bad_timestamp", 2), ("bad_seq", 1), ("bad_weight", 1)]
    assert dataset.interactions["timestamp"].to_list() == [10, 13]


def test_an_unreadable_year_sets_the_item_aside(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text(
        "item_id,item_type,title,year\nb1,book,one,1999\nb2,book,two,long ago\n", encoding="utf-8"
    )
    events_table([("ann", "b1", 1)]).write_parquet(tmp_path / "interactions.parquet")
    dataset = read_dataset(tmp_path, strict=False, now=NOW)
    assert dataset.problems.count("bad_year") == 1
    assert dataset.items["item_id"].to_list() == ["b1"]


def test_at_most_five_examples_are_shown(tmp_path: Path) -> None:
    events = [("ann", f"x{number}", 1) for number in range(9)]
    folder = write_folder(
        tmp_path,
        items=items_table("b1"),
        interactions=events_table([("ann", "b1", 1), *events]),
    )
    problem = read_dataset(folder, strict=False, now=NOW).problems.kinds[0]
    assert problem.count == 9
    assert [example.split(", ")[0] for example in problem.examples] == [
        f"row {row}" for row in range(2, 7)
    ]


def test_a_clean_folder_leaves_an_empty_file_of_rejected_rows(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    rejected_path = tmp_path / "rejected.parquet"
    read_dataset(folder, strict=False, now=NOW, rejected_path=rejected_path)
    rejected = pl.read_parquet(rejected_path)
    assert len(rejected) == 0
    assert "problem" in rejected.columns


def test_the_report_survives_json(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, events={"item_id": "b9"})
    problems = read_dataset(folder, strict=False, now=NOW).problems
    assert type(problems).from_json(problems.to_json()) == problems
    assert "1 row with unknown_item (item_id)" in problems.render()
