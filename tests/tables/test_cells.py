"""A cell means the same whatever type and format a tool has given its column."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import polars as pl
import pytest

from tables.dataset import Dataset
from tables.errors import DataError
from tables.folder import read_dataset
from tests.tables.folders import NOW, events_table, items_table, named_events, write_folder

ANN = [("ann", "b1", 10)]
NAN = float("nan")


def read(folder: Path, *, strict: bool = False) -> Dataset:
    return read_dataset(
        folder, strict=strict, now=NOW, rejected_path=folder / "out" / "rejected.parquet"
    )


def read_items(folder: Path, **columns: pl.Series) -> Dataset:
    """Read two items and one interaction, of which nothing is bad."""
    items = items_table("b1", "b2").with_columns(**columns)
    return read(write_folder(folder, items=items, interactions=events_table(ANN)), strict=True)


def write_csv(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


QUOTED = {
    "items": '"item_id","item_type","title","description","year","genres"\n'
    '"b1","book","one","","1999","a|b"\n'
    '"b2","book","two","","",""\n',
    "users": '"user_id","country","age_bucket"\n"ann","","18-24"\n"bob","DE",""\n',
    "interactions": '"user_id","item_id","timestamp","weight","split","signal"\n'
    '"ann","b1","10","","",""\n"bob","b2","","","",""\n',
}


@pytest.mark.parametrize("quoted", [True, False])
def test_an_empty_cell_is_a_gap_quoted_or_not(tmp_path: Path, quoted: bool) -> None:
    files = QUOTED if quoted else {name: text.replace('"', "") for name, text in QUOTED.items()}
    dataset = read(write_csv(tmp_path, **files), strict=True)
    assert dataset.items["year"].to_list() == [1999, None]
    assert dataset.items["genres"].to_list() == [["a", "b"], []]
    assert dataset.users.rows() == [("ann", None, "18-24", None), ("bob", "DE", None, None)]
    assert dataset.interactions["weight"].to_list() == [1.0, 1.0]
    assert dataset.interactions["timestamp"].to_list() == [10, None]
    assert not dataset.has_split


def test_blank_lines_are_no_rows_and_keep_the_numbers_of_the_others(tmp_path: Path) -> None:
    write_csv(
        tmp_path,
        items='item_id,item_type,title\r\n\r\nb1,book,one\r\n,,\r\n"","",""\r\n  \r\n\r\n',
        interactions="user_id,item_id\n\nann,b1\n\nann,b9\n\n\n",
    )
    problems = read(tmp_path).problems
    assert problems.rows_read == {"items.csv": 1, "interactions.csv": 2}
    (unknown,) = problems.kinds
    assert unknown.examples == ("row 4, user_id 'ann', item_id 'b9'",)


@pytest.mark.parametrize(
    ("column", "text", "kind"),
    [
        ("timestamp", "—", "bad_timestamp"),
        ("timestamp", "14.11.2023", "bad_timestamp"),
        ("timestamp", "2023-02-30", "bad_timestamp"),
        ("timestamp", "NaN", "bad_timestamp"),
        ("seq", "1,5", "bad_seq"),
        ("seq", "2.5", "bad_seq"),
        ("weight", "1,5", "bad_weight"),
        ("weight", "NaN", "bad_weight"),
        ("weight", "inf", "bad_weight"),
        ("year", "c. 1999", "bad_year"),
        ("year", "NaN", "bad_year"),
    ],
)
def test_what_stood_in_the_cell_is_what_is_reported(
    tmp_path: Path, column: str, text: str, kind: str
) -> None:
    year, cell = (text, "") if column == "year" else ("", text)
    other = "seq" if column == "year" else column
    write_csv(
        tmp_path,
        items=f'item_id,item_type,title,year\nb1,book,one,\nb2,book,two,"{year}"\n',
        interactions=f'user_id,item_id,{other}\nann,b1,\nann,b1,"{cell}"\n',
    )
    (problem,) = read(tmp_path).problems.kinds
    assert problem.kind == kind
    assert problem.examples[0].endswith(f"{column} {text!r}")
    rejected = pl.read_parquet(tmp_path / "out" / "rejected.parquet")
    assert rejected.select("problem", "row", column).rows() == [(kind, 2, text)]


def test_a_time_that_cannot_be_read_is_told_what_is_expected(tmp_path: Path) -> None:
    write_csv(
        tmp_path,
        items="item_id,item_type,title\nb1,book,one\n",
        interactions="user_id,item_id,timestamp\nann,b1,1\nann,b1,yesterday\n",
    )
    assert "expected unix seconds or ISO 8601" in read(tmp_path).problems.render()


def test_what_stood_in_parquet_is_reported_too(tmp_path: Path) -> None:
    events = pl.DataFrame(
        {"user_id": ["ann", "ann"], "item_id": ["b1", "b1"], "seq": [1.0, 2.5], "weight": [1, -3]}
    )
    write_folder(tmp_path, items=items_table("b1"), interactions=events)
    (problem,) = read(tmp_path).problems.kinds
    assert (problem.kind, problem.examples[0][-9:]) == ("bad_seq", "seq '2.5'")
    rejected = pl.read_parquet(tmp_path / "out" / "rejected.parquet")
    assert rejected.select("seq", "weight").rows() == [("2.5", "-3")]


def test_numbers_may_be_text_in_parquet_as_in_csv(tmp_path: Path) -> None:
    events = pl.DataFrame(
        {"user_id": ["ann"], "item_id": ["b1"], "timestamp": [" 12 "], "weight": ["0.5"]}
    )
    write_folder(tmp_path, items=items_table("b1"), interactions=events)
    rows = read(tmp_path, strict=True).interactions
    assert rows.select("timestamp", "weight").rows() == [(12, 0.5)]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Float64])
def test_nan_in_parquet_is_a_gap_and_told_of(tmp_path: Path, dtype: type[pl.DataType]) -> None:
    items = items_table("b1", "b2").with_columns(year=pl.Series([1999, NAN], dtype=dtype))
    events = pl.DataFrame({"user_id": ["ann", "bob"], "item_id": ["b1", "b2"]}).with_columns(
        pl.Series(name, [1, NAN], dtype=dtype) for name in ("timestamp", "seq", "weight")
    )
    dataset = read(write_folder(tmp_path, items=items, interactions=events), strict=True)
    assert dataset.items["year"].to_list() == [1999, None]
    assert dataset.interactions.select("timestamp", "seq", "weight").rows() == [
        (1, 1, 1.0),
        (None, None, 1.0),
    ]
    assert "items.parquet: year is NaN and counts as a gap: 1 row" in dataset.problems.notices


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pl.Series([12.0, 7.0]), ["12", "7"]),
        (pl.Series([12, 7], dtype=pl.UInt64), ["12", "7"]),
        (pl.Series([Decimal(12), Decimal(7)], dtype=pl.Decimal(20, 0)), ["12", "7"]),
        (pl.Series([b"b1", b"b2"]), ["b1", "b2"]),
        (pl.Series(["b1", "b2"], dtype=pl.Categorical), ["b1", "b2"]),
    ],
)
def test_ids_of_any_whole_type_become_text(
    tmp_path: Path, ids: pl.Series, expected: Sequence[str]
) -> None:
    items = items_table("b1", "b2").with_columns(item_id=ids)
    events = pl.DataFrame({"user_id": ["ann"], "item_id": expected[:1]})
    dataset = read(write_folder(tmp_path, items=items, interactions=events), strict=True)
    assert dataset.items["item_id"].to_list() == expected
    assert named_events(dataset) == [("ann", expected[0])]


@pytest.mark.parametrize("number", [1.5, 2.0**53, float("inf")])
def test_ids_that_a_float_has_cut_or_rounded_are_refused(tmp_path: Path, number: float) -> None:
    items = items_table("b1").with_columns(item_id=pl.lit(number))
    write_folder(tmp_path, items=items, interactions=events_table(ANN))
    with pytest.raises(DataError, match="column 'item_id': expected text or whole numbers, got Fl"):
        read(tmp_path)


def test_a_gap_among_ids_stored_as_floats_is_a_row_without_id(tmp_path: Path) -> None:
    events = pl.DataFrame({"user_id": ["ann"] * 3, "item_id": [12.0, NAN, None]})
    items = items_table("b1").with_columns(item_id=pl.lit(12))
    dataset = read(write_folder(tmp_path, items=items, interactions=events))
    assert dataset.problems.count("null_item_id") == 2
    assert named_events(dataset) == [("ann", "12")]
    assert "interactions.parquet: item_id stored as 12.0 and read as 12: 1 row" in (
        dataset.problems.notices
    )


@pytest.mark.parametrize(
    ("genres", "expected"),
    [
        (pl.Series([["a", "b"], None], dtype=pl.List(pl.Categorical)), [["a", "b"], []]),
        (pl.Series([["a", "b"], []], dtype=pl.List(pl.Enum(["a", "b"]))), [["a", "b"], []]),
        (pl.Series([[None], []], dtype=pl.List(pl.Null)), [[], []]),
        (pl.Series([[18, 35], [18]], dtype=pl.List(pl.Int32)), [["18", "35"], ["18"]]),
        (pl.Series([["a", "b"], ["c", None]], dtype=pl.Array(pl.String, 2)), [["a", "b"], ["c"]]),
        (pl.Series([[1, 2], [3, 4]], dtype=pl.Array(pl.Int64, 2)), [["1", "2"], ["3", "4"]]),
        (pl.Series([None, None], dtype=pl.Null), [[], []]),
        (pl.Series(["a|b", "a"], dtype=pl.Categorical), [["a", "b"], ["a"]]),
    ],
)
def test_genres_are_read_as_text_whatever_they_are_lists_of(
    tmp_path: Path, genres: pl.Series, expected: Sequence[Sequence[str]]
) -> None:
    assert read_items(tmp_path, genres=genres).items["genres"].to_list() == expected


def test_genres_that_are_lists_of_records_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column 'genres': expected text such as a\|b\|c, or list"):
        read_items(tmp_path, genres=pl.Series([[{"id": 18}], [{"id": 35}]]))


def test_lists_written_as_text_are_told_of(tmp_path: Path) -> None:
    dataset = read_items(tmp_path, genres=pl.Series(["['a', 'b']", "[1999]s|b"]))
    notice = next(one for one in dataset.problems.notices if "genres" in one)
    assert notice.endswith("genres written like ['a', 'b'] and read as one; expected a|b: 1 row")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"item_id;item_type;title\n", "expected commas between the cells"),
        ("item_id,item_type,title\n".encode("utf-16"), "it is not UTF-8"),
    ],
)
def test_a_header_that_cannot_be_read_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "items.csv").write_bytes(data)
    with pytest.raises(DataError, match=rf"items\.csv: column 'item_id' is missing; .*: {why}"):
        read(tmp_path)


MOMENT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
SECONDS = 1_700_000_000


def read_times(folder: Path, times: pl.Series) -> Dataset:
    """Read interactions of one person with the same item at these times."""
    events = pl.DataFrame({"user_id": "ann", "item_id": "b1", "timestamp": times})
    return read(write_folder(folder, items=items_table("b1"), interactions=events))


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Kolkata"])
def test_a_datetime_is_the_moment_it_is(
    tmp_path: Path, unit: Literal["ms", "us", "ns"], zone: str | None
) -> None:
    times = pl.Series([MOMENT]).dt.cast_time_unit(unit)
    times = times.dt.convert_time_zone(zone) if zone else times.dt.replace_time_zone(None)
    dataset = read_times(tmp_path, times)
    assert dataset.interactions["timestamp"].to_list() == [SECONDS]
    told = [notice for notice in dataset.problems.notices if "UTC" in notice]
    said = "interactions.parquet: timestamp without a time zone, read as UTC: 1 row"
    assert told == ([] if zone else [said])


@pytest.mark.parametrize(
    ("text", "seconds", "zoned"),
    [
        ("2023-11-14T22:13:20Z", SECONDS, True),
        ("2023-11-14 22:13:20 UTC", SECONDS, True),
        ("2023-11-14T23:13:20+01:00", SECONDS, True),
        ("2023-11-14T16:43:20-0530", SECONDS, True),
        ("2023-11-14 22:13:20+00", SECONDS, True),
        ("20231114T221320Z", SECONDS, True),
        ("2023-11-14 22:13:20", SECONDS, False),
        ("2023-11-14T22:13", SECONDS - 20, False),
        ("2023-11-14", SECONDS - SECONDS % 86_400, False),
        ("1700000000", SECONDS, True),
        (" 1.7e9", SECONDS, True),
    ],
)
def test_iso_8601_in_a_csv_is_the_moment_it_is(
    tmp_path: Path, text: str, seconds: int, zoned: bool
) -> None:
    write_csv(
        tmp_path,
        items="item_id,item_type,title\nb1,book,one\n",
        interactions=f"user_id,item_id,timestamp\nann,b1,{text}\n",
    )
    dataset = read(tmp_path, strict=True)
    assert dataset.interactions["timestamp"].to_list() == [seconds]
    assert ("read as UTC" in dataset.problems.render()) is not zoned


@pytest.mark.parametrize(
    "times",
    [
        pl.Series([MOMENT.replace(microsecond=999_999)]),
        pl.Series([SECONDS + 0.75]),
        pl.Series(["2023-11-14T22:13:20.999Z"]),
        pl.Series(["1700000000.75"]),
    ],
)
def test_a_fraction_of_a_second_is_left_out_and_told_of(tmp_path: Path, times: pl.Series) -> None:
    dataset = read_times(tmp_path, times)
    assert dataset.interactions["timestamp"].to_list() == [SECONDS]
    assert (
        "timestamp with a fraction of a second, which is left out: 1 row"
        in dataset.problems.render()
    )


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Binary])
def test_text_of_any_type_is_read_as_numbers_and_moments(
    tmp_path: Path, dtype: type[pl.DataType]
) -> None:
    cells = pl.Series(["1700000000", "", "2023-11-14T22:13:20Z"]).cast(dtype)
    seqs = pl.Series(["3", " ", "4.0"]).cast(dtype)
    events = pl.DataFrame({"user_id": "ann", "item_id": "b1", "timestamp": cells, "seq": seqs})
    write_folder(tmp_path, items=items_table("b1"), interactions=events)
    rows = read(tmp_path, strict=True).interactions.select("timestamp", "seq").rows()
    assert sorted(rows, key=str) == [(SECONDS, 3), (SECONDS, 4), (None, None)]


def test_days_are_moments_too(tmp_path: Path) -> None:
    dataset = read_times(tmp_path, pl.Series([date(1970, 1, 2)]))
    assert dataset.interactions["timestamp"].to_list() == [86_400]


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("milliseconds", 1_000), ("microseconds", 1_000_000), ("nanoseconds", 1_000_000_000)],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_a_time_past_2100_is_told_its_likely_unit(
    tmp_path: Path, unit: str, factor: int, as_text: bool
) -> None:
    times = pl.Series([SECONDS, SECONDS * factor])
    (problem,) = read_times(tmp_path, times.cast(pl.String) if as_text else times).problems.kinds
    assert (problem.kind, problem.count) == (unit, 1)
    assert f"likely {unit}: divide by {factor:,}" in problem.explanation


def test_a_date_past_2100_is_no_number_in_another_unit(tmp_path: Path) -> None:
    times = pl.Series(["2023-11-14T22:13:20Z", "9999-12-31"])
    (problem,) = read_times(tmp_path, times).problems.kinds
    assert (problem.kind, problem.count) == ("future", 1)
    assert "timestamp '9999-12-31'" in problem.examples[0]


def test_a_column_of_the_file_may_be_called_as_the_row_number(tmp_path: Path) -> None:
    dataset = read_items(tmp_path, row=pl.Series([7, 8]))
    assert "items.parquet: ignored columns outside the contract: row" in dataset.problems.notices


def test_a_weight_of_zero_is_told_the_way_out(tmp_path: Path) -> None:
    write_csv(
        tmp_path,
        items="item_id,item_type,title\nb1,book,one\n",
        interactions="user_id,item_id,weight\nann,b1,5\nann,b1,0\nann,b1,0.0\n",
    )
    (problem,) = read(tmp_path).problems.kinds
    assert (problem.kind, problem.count) == ("zero_weight", 2)
    assert "a signal that dataset.toml calls negative" in problem.explanation
