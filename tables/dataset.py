"""A validated data set, and its form on disk between stages."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schema import TEXT_FIELDS, YEAR
from tables.errors import DatasetFileError
from tables.problems import Problems
from tables.roles import HoldOutRule, SignalRoles

FORMAT = 1
_TABLES = ("items", "users", "interactions")


@dataclass(frozen=True)
class Dataset:
    """A data folder after its checks. Rows of `items` and `users` are their row numbers."""

    items: pl.DataFrame
    """item_id, item_type, title, description, language, genres (list), creator, year; sorted
    by item_type, then item_id, so that a type is one slice. Missing text is ""."""
    users: pl.DataFrame
    """user_id, country, age_bucket, gender (null where unknown); sorted by user_id; everybody
    who stands in the people's file or in an interaction."""
    interactions: pl.DataFrame
    """user_row, item_row, timestamp, seq, signal, role, weight, split, order, moment, tied; sorted
    by user_row, then order (oldest first)."""
    roles: SignalRoles
    hold_out: HoldOutRule
    problems: Problems

    @property
    def item_types(self) -> tuple[str, ...]:
        """Names of the item types, sorted; their positions are the type numbers."""
        return tuple(self.items["item_type"].unique().sort().to_list())

    @property
    def item_type(self) -> NDArray[np.int64]:
        """Type number of each item. Shapes: returns (N,), ascending."""
        ranks = self.items["item_type"].rank("dense").to_numpy()
        return ranks.astype(np.int64) - 1

    @property
    def catalogue(self) -> str:
        """Hash of the items in the order of their rows: ids, types, years, and what text is of.

        Vectors by row belong to the data set only as long as it stays the same.
        """
        seen = self.items.select("item_id", "item_type", *TEXT_FIELDS, YEAR)
        return hashlib.sha256(seen.write_ndjson().encode()).hexdigest()

    @property
    def has_split(self) -> bool:
        """Whether the data set holds something out by itself."""
        return bool((self.interactions["split"] != "train").any())


def save_dataset(dataset: Dataset, folder: Path) -> None:
    """Write a data set into an existing folder: three parquet files and two of JSON.

    problems.json is for people; dataset.json is what `load_dataset` reads.
    """
    for name, frame in zip(_TABLES, _frames(dataset), strict=True):
        frame.write_parquet(folder / f"{name}.parquet")
    header = {
        "format": FORMAT,
        "roles": dict(dataset.roles.roles),
        "hold_out": {"rule": dataset.hold_out.rule, "days": dataset.hold_out.days},
        "problems": dataset.problems.to_json(),
    }
    (folder / "dataset.json").write_text(json.dumps(header, indent=1), encoding="utf-8")
    problems = json.dumps(dataset.problems.to_json(), indent=1)
    (folder / "problems.json").write_text(problems, encoding="utf-8")


def load_dataset(folder: Path) -> Dataset:
    """Read what `save_dataset` wrote.

    Raises:
        DatasetFileError: a file is missing or damaged, or comes from another format.
    """
    path = folder / "dataset.json"
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
        if header["format"] != FORMAT:
            raise DatasetFileError(f"{path}: format {header['format']}, expected {FORMAT}")
        items, users, interactions = (
            pl.read_parquet(folder / f"{name}.parquet") for name in _TABLES
        )
        return Dataset(
            items,
            users,
            interactions,
            SignalRoles(header["roles"]),
            HoldOutRule(**header["hold_out"]),
            Problems.from_json(header["problems"]),
        )
    except (OSError, pl.exceptions.PolarsError, ValueError, KeyError, TypeError) as error:
        raise DatasetFileError(f"{folder}: not a readable data set: {error}") from error


def _frames(dataset: Dataset) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return dataset.items, dataset.users, dataset.interactions
