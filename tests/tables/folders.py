"""Small data folders written down by hand."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from tables.dataset import Dataset
from tables.folder import read_dataset

NOW = 2_000_000_000

Event = tuple[str, str, int | None]
"""User, item, timestamp."""


def write_folder(
    folder: Path,
    *,
    items: pl.DataFrame,
    interactions: pl.DataFrame,
    users: pl.DataFrame | None = None,
    toml: str | None = None,
) -> Path:
    """Write a data folder of the contract as parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    items.write_parquet(folder / "items.parquet")
    interactions.write_parquet(folder / "interactions.parquet")
    if users is not None:
        users.write_parquet(folder / "users.parquet")
    if toml is not None:
        (folder / "dataset.toml").write_text(toml, encoding="utf-8")
    return folder


def items_table(*ids: str) -> pl.DataFrame:
    """List items; the first letter of an id is its type: b book, f film, p podcast."""
    types = {"b": "book", "f": "film", "p": "podcast"}
    return pl.DataFrame(
        {
            "item_id": ids,
            "item_type": [types[one[0]] for one in ids],
            "title": [f"title of {one}" for one in ids],
        }
    )


def events_table(events: Sequence[Event]) -> pl.DataFrame:
    """List interactions."""
    schema = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64}
    return pl.DataFrame(events, schema=schema, orient="row")


def dataset_of(
    folder: Path,
    item_ids: Sequence[str],
    events: Sequence[Event],
    *,
    toml: str | None = None,
    seed: int = 0,
    **columns: Sequence[object],
) -> Dataset:
    """Write and read a data set of sound rows; `columns` are more columns of the interactions."""
    extra = [pl.Series(name, values) for name, values in columns.items()]
    write_folder(
        folder,
        items=items_table(*item_ids),
        interactions=events_table(events).with_columns(extra),
        toml=toml,
    )
    return read_dataset(folder, strict=True, now=NOW, seed=seed)


def named_events(dataset: Dataset) -> list[tuple[str, str]]:
    """Give a data set's interactions as ids, in their order."""
    users = dataset.users["user_id"].to_list()
    items = dataset.items["item_id"].to_list()
    rows = dataset.interactions.select("user_row", "item_row").iter_rows()
    return [(users[user], items[item]) for user, item in rows]
