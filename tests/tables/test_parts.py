"""A table may be a file, a compressed file or a folder of parts; what is read is what is listed."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from tables.errors import DataError
from tables.folder import read_dataset
from tables.parts import data_files
from tests.tables.folders import NOW, events_table, items_table, named_events, write_folder

EVENTS = [("ann", "b1", 1), ("bob", "b2", 2), ("eve", "b1", 3)]
PAIRS = [("ann", "b1"), ("bob", "b2"), ("eve", "b1")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder whose interactions are still to be written."""
    write_folder(tmp_path, items=items_table("b1", "b2"), interactions=events_table(EVENTS))
    (tmp_path / "interactions.parquet").unlink()
    return tmp_path


def read_pairs(folder: Path) -> list[tuple[str, str]]:
    return named_events(read_dataset(folder, strict=True, now=NOW))


def write_parts(table: Path, *, csv: bool = False, hive: bool = False) -> None:
    """Write a folder of parts as Spark does, markers and checksums included."""
    for number, event in enumerate(EVENTS):
        inside = table / f"day=2026-05-0{number % 2}" if hive else table
        inside.mkdir(parents=True, exist_ok=True)
        part = inside / f"part-{number:05d}-c000.{'csv' if csv else 'snappy.parquet'}"
        rows = events_table([event])
        if csv:
            rows.write_csv(part)
        else:
            rows.write_parquet(part)
        (inside / f".{part.name}.crc").write_bytes(b"crc\x00")
    (table / "_SUCCESS").touch()
    (table / "_committed_1").write_text("{}")


@pytest.mark.parametrize("hive", [True, False])
@pytest.mark.parametrize("csv", [True, False])
@pytest.mark.parametrize("suffix", ["", ".csv", ".parquet"])
def test_a_folder_of_parts_is_one_table(folder: Path, suffix: str, csv: bool, hive: bool) -> None:
    write_parts(folder / f"interactions{suffix}", csv=csv, hive=hive)
    assert read_pairs(folder) == PAIRS


def test_columns_of_hive_partitions_are_read(folder: Path) -> None:
    table = folder / "interactions.parquet"
    parts = {"signal=play%2Fstop/split=train": "ann", "signal=__HIVE_DEFAULT_PARTITION__": "bob"}
    for name, user in parts.items():
        (table / name).mkdir(parents=True)
        events_table([(user, "b1", 1)]).write_parquet(table / name / "part-0.parquet")
    dataset = read_dataset(folder, strict=False, now=NOW)
    assert dataset.interactions.select("signal", "split").rows() == [("play/stop", "train")]
    (problem,) = dataset.problems.kinds  # the other part lies in no folder of a split
    assert problem.kind == "unknown_split"


def test_parts_may_differ_in_the_types_and_the_order_of_their_columns(folder: Path) -> None:
    table = folder / "interactions.parquet"
    table.mkdir()
    one = pl.DataFrame({"user_id": ["ann"], "item_id": ["b1"], "timestamp": [1]})
    other = pl.DataFrame({"timestamp": [None], "item_id": ["b2"], "user_id": ["bob"], "more": [1]})
    one.with_columns(pl.col("timestamp").cast(pl.Int32)).write_parquet(table / "1.parquet")
    other.write_parquet(table / "2.parquet")
    assert read_pairs(folder) == PAIRS[:2]
    csv = folder / "interactions.csv"
    csv.mkdir()
    one.write_csv(csv / "1.csv")
    other.write_csv(csv / "2.csv")
    (csv / "3.csv").touch()  # Spark leaves a partition without rows so
    for path in (*table.iterdir(), table):
        path.rmdir() if path.is_dir() else path.unlink()
    assert read_pairs(folder) == PAIRS[:2]


def test_rows_are_counted_over_the_parts_in_their_order(folder: Path) -> None:
    write_parts(folder / "interactions.csv", csv=True)
    events_table([("zed", "b9", 1)]).write_csv(folder / "interactions.csv" / "part-9.csv")
    problem = read_dataset(folder, strict=False, now=NOW).problems.kinds[0]
    assert (problem.file, problem.examples[0][:5]) == ("interactions.csv", "row 4")


@pytest.mark.parametrize("suffix", [".csv.gz", ".csv.zst"])
def test_a_csv_may_be_compressed(folder: Path, suffix: str) -> None:
    text = events_table(EVENTS).write_csv()
    path = folder / f"interactions{suffix}"
    if suffix == ".csv.gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        events_table(EVENTS).write_csv(path, compression="zstd")
    assert read_pairs(folder) == PAIRS
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match=rf"interactions{suffix}: cannot be read"):
        read_pairs(folder)


@pytest.mark.parametrize(
    ("csv", "harm", "said"),
    [
        (True, b'user_id,item_id\neve,"b1', "cannot be read: .* has to be written twice"),
        (False, b"", "cannot be read: "),
        (False, b"PAR1", "cannot be read: "),
        (True, b"user,item\neve,b1\n", "column 'user_id' is missing; it has user, item"),
    ],
)
def test_of_many_parts_the_one_that_is_wrong_is_named(
    folder: Path, csv: bool, harm: bytes, said: str
) -> None:
    table = folder / "interactions"
    write_parts(table, csv=csv)
    part = sorted(table.glob("part*"))[1]
    part.write_bytes(harm)
    with pytest.raises(DataError, match=rf"^interactions: {part.name}: {said}"):
        read_pairs(folder)


def test_the_same_table_in_two_forms_is_refused(folder: Path) -> None:
    write_parts(folder / "interactions")
    (folder / "interactions.csv.gz").write_bytes(b"")
    with pytest.raises(
        DataError, match=r"both interactions\.csv\.gz and interactions, expected on"
    ):
        read_pairs(folder)


@pytest.mark.parametrize(
    ("stray", "message"),
    [
        ("notes/readme.txt", r"notes/readme\.txt does not end in \.parquet, \.csv, "),
        ("part.csv", "parts of parquet and of CSV, expected one of them"),
        ("_delta_log/0.json", "a Delta table, some of whose files no longer count"),
    ],
)
def test_a_folder_that_is_not_of_parts_alone_is_refused(
    folder: Path, stray: str, message: str
) -> None:
    table = folder / "interactions.parquet"
    write_parts(table)
    (table / stray).parent.mkdir(exist_ok=True)
    (table / stray).write_text("user_id,item_id\n")
    with pytest.raises(DataError, match=rf"interactions\.parquet: {message}"):
        read_pairs(folder)


def test_a_folder_without_a_part_is_refused(folder: Path) -> None:
    (folder / "interactions").mkdir()
    with pytest.raises(DataError, match="interactions: the folder holds no part that ends in"):
        read_pairs(folder)


def test_every_file_that_is_read_is_listed_and_no_other(folder: Path) -> None:
    write_parts(folder / "interactions.parquet", hive=True)
    (folder / "dataset.toml").touch()
    (folder / "notes.txt").touch()
    listed = [path.relative_to(folder).as_posix() for path in data_files(folder)]
    assert listed == [
        "dataset.toml",
        "items.parquet",
        "interactions.parquet/day=2026-05-00/part-00000-c000.snappy.parquet",
        "interactions.parquet/day=2026-05-00/part-00002-c000.snappy.parquet",
        "interactions.parquet/day=2026-05-01/part-00001-c000.snappy.parquet",
    ]
