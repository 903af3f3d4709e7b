"""A data set between stages: the same after its files, refused when they are damaged."""

import dataclasses
import json
from pathlib import Path

import polars as pl
import pytest

from graph.worlds import two_communities, write_world
from tables.dataset import Dataset, load_dataset, save_dataset
from tables.errors import DatasetFileError
from tables.folder import read_dataset
from tests.tables.folders import NOW


def world_dataset(folder: Path) -> Dataset:
    write_world(two_communities(), folder)
    (folder / "dataset.toml").write_text(
        '[signals]\nstream = "strong"\n[hold_out]\nrule = "time"\ndays = 3\n'
    )
    extra = pl.DataFrame({"user_id": ["x", None]})
    extra.write_parquet(folder / "users.parquet")
    return read_dataset(folder, strict=False, now=NOW)


def test_a_dataset_survives_its_files(tmp_path: Path) -> None:
    dataset = world_dataset(tmp_path / "data")
    out = tmp_path / "out"
    out.mkdir()
    save_dataset(dataset, out)
    loaded = load_dataset(out)
    assert loaded.items.equals(dataset.items)
    assert loaded.users.equals(dataset.users)
    assert loaded.interactions.equals(dataset.interactions)
    assert (loaded.roles, loaded.hold_out) == (dataset.roles, dataset.hold_out)
    assert loaded.problems == dataset.problems
    assert loaded.problems.total == 1
    assert json.loads((out / "problems.json").read_text())["rows_set_aside"] == 1


def test_the_catalogue_is_named_by_what_vectors_are_made_of(tmp_path: Path) -> None:
    dataset = world_dataset(tmp_path / "data")
    save_dataset(dataset, tmp_path)
    items = dataset.items

    def named(changed: pl.DataFrame) -> str:
        return dataclasses.replace(dataset, items=changed).catalogue

    assert load_dataset(tmp_path).catalogue == named(items)
    others = [
        items.with_columns(year=pl.lit(1900, items["year"].dtype)),
        items.with_columns(title=pl.lit("x")),
        items.with_columns(creator=pl.lit("x")),
        items.with_columns(item_type=pl.lit("x")),
        items.with_columns(genres=pl.col("genres").list.reverse()),
        items.reverse(),
        items[1:],
    ]
    assert len({dataset.catalogue, *map(named, others)}) == 1 + len(others)


@pytest.mark.parametrize("name", ["dataset.json", "items.parquet", "interactions.parquet"])
def test_a_missing_file_of_a_dataset_is_named(tmp_path: Path, name: str) -> None:
    save_dataset(world_dataset(tmp_path / "data"), tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DatasetFileError, match=name):
        load_dataset(tmp_path)


def test_a_dataset_of_a_later_format_is_refused(tmp_path: Path) -> None:
    save_dataset(world_dataset(tmp_path / "data"), tmp_path)
    header = json.loads((tmp_path / "dataset.json").read_text())
    (tmp_path / "dataset.json").write_text(json.dumps({**header, "format": 9}))
    with pytest.raises(DatasetFileError, match="format 9, expected 1"):
        load_dataset(tmp_path)
