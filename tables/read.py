"""One file of the data contract -> a frame with the contract's columns and types."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from tables.errors import DataError

Kind = Literal["id", "text", "integer", "number", "genres"]
ROW = "row"
"""Number of a row in its file, the first data row being 1."""
UNREADABLE = "unreadable_"
"""Prefix of the column that marks values which are not of the column's type."""


@dataclass(frozen=True)
class Column:
    """One column of the contract."""

    name: str
    kind: Kind
    required: bool = False


ITEMS = (
    Column("item_id", "id", required=True),
    Column("item_type", "text", required=True),
    Column("title", "text", required=True),
    Column("description", "text"),
    Column("language", "text"),
    Column("genres", "genres"),
    Column("creator", "text"),
    Column("year", "integer"),
)
USERS = (
    Column("user_id", "id", required=True),
    Column("country", "text"),
    Column("age_bucket", "text"),
    Column("gender", "text"),
)
INTERACTIONS = (
    Column("user_id", "id", required=True),
    Column("item_id", "id", required=True),
    Column("timestamp", "integer"),
    Column("seq", "integer"),
    Column("signal", "text"),
    Column("weight", "number"),
    Column("split", "text"),
)

_TARGET: dict[Kind, pl.DataType] = {
    "id": pl.String(),
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "genres": pl.String(),
}
_EXPECTED: dict[Kind, str] = {
    "id": "text or whole numbers",
    "text": "text",
    "integer": "whole numbers",
    "number": "numbers",
    "genres": "text such as a|b|c, or lists of text",
}


@dataclass(frozen=True)
class Table:
    """One file as read: its name, its typed rows and what was ignored."""

    file: str
    frame: pl.DataFrame
    present: frozenset[str]
    """Contract columns that the file really has; the others are all null."""
    ignored: tuple[str, ...]
    """Columns outside the contract."""


def check_folder(folder: Path) -> None:
    """Refuse a data folder that is not there.

    Raises:
        DataError: no such folder, or not a folder.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: not a folder")


def find_table(folder: Path, name: str) -> Path | None:
    """Find the parquet or CSV file of a table.

    Raises:
        DataError: both are there, so it is unclear which one counts.
    """
    found = [path for path in (folder / f"{name}.parquet", folder / f"{name}.csv") if path.exists()]
    if len(found) > 1:
        raise DataError(f"{folder}: both {found[0].name} and {found[1].name}, expected one of them")
    return found[0] if found else None


def read_table(path: Path, columns: tuple[Column, ...]) -> Table:
    """Read one file and bring its columns to the contract's types.

    A value that cannot be read as its column's type becomes null and is marked in a
    boolean column `unreadable_<name>`; it is for the row checks to name it.

    Raises:
        DataError: the file cannot be read, a required column is missing, or a column has
            a type that cannot be meant.
    """
    raw = _read(path)
    missing = [one.name for one in columns if one.required and one.name not in raw.columns]
    if missing:
        raise DataError(
            f"{path.name}: column {missing[0]!r} is missing; it has {', '.join(raw.columns)}"
        )
    exprs = [pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW)]
    for column in columns:
        if column.name in raw.columns:
            exprs += _typed(column, raw.schema[column.name], path.name)
        else:
            exprs.append(pl.lit(None, dtype=_TARGET[column.kind]).alias(column.name))
    known = {column.name for column in columns}
    return Table(
        path.name,
        raw.select(exprs),
        frozenset(known & set(raw.columns)),
        tuple(name for name in raw.columns if name not in known),
    )


def _read(path: Path) -> pl.DataFrame:
    try:
        if path.suffix == ".csv":
            return pl.read_csv(path, infer_schema=False)
        return pl.read_parquet(path, glob=False)
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{path.name}: the file is empty, not even a header line") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path.name}: cannot be read: {error}") from error


def _typed(column: Column, dtype: pl.DataType, file: str) -> list[pl.Expr]:
    """Expressions for a column in the contract's type, and for its unreadable values."""
    name = pl.col(column.name)
    text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    if isinstance(dtype, pl.Null) or (text and column.kind in ("id", "text", "genres")):
        return [name.cast(_TARGET[column.kind])]
    if column.kind == "id" and dtype.is_integer():
        return [name.cast(pl.String)]
    if column.kind == "genres" and dtype == pl.List(pl.String):
        return [name.list.join("|", ignore_nulls=True)]
    from_csv = file.endswith(".csv")
    if column.kind in ("integer", "number") and (dtype.is_numeric() or from_csv):
        return _numeric(column)
    raise DataError(
        f"{file}: column {column.name!r}: expected {_EXPECTED[column.kind]}, got {dtype}"
    )


def _numeric(column: Column) -> list[pl.Expr]:
    name = pl.col(column.name)
    value = name.cast(_TARGET[column.kind], strict=False)
    if column.kind == "integer":  # "12.0" and 12.0 are whole, 12.5 and NaN are not
        real = name.cast(pl.Float64, strict=False)
        whole = pl.when(real == real.floor()).then(real.cast(pl.Int64, strict=False))
        value = pl.coalesce(pl.when(real.is_null() | (real == real.floor())).then(value), whole)
    unreadable = name.is_not_null() & value.is_null()
    return [value.alias(column.name), unreadable.alias(UNREADABLE + column.name)]
