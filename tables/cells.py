"""Cells of one column, whatever type the file gives it -> the type that the contract gives it.

A gap is the same everywhere: null, NaN, and text without a visible character, quoted or not.
"""

from dataclasses import dataclass, field

import polars as pl

from tables import moments
from tables.contract import Column, Kind

TARGET: dict[Kind, pl.DataType] = {
    "id": pl.String(),
    "text": pl.String(),
    "integer": pl.Int64(),
    "number": pl.Float64(),
    "moment": pl.Int64(),
    "genres": pl.String(),
}
EXPECTED: dict[Kind, str] = {
    "id": "text or whole numbers",
    "text": "text",
    "integer": "whole numbers",
    "number": "numbers",
    "moment": "unix seconds or ISO 8601",
    "genres": "text such as a|b|c, or lists",
}
UNREADABLE, DATED = "unreadable", "dated"
NAN, WHOLE, FLOORED, ZONELESS = "nan", "whole", "floored", "zoneless"
BRACKETED = "bracketed"
_EXACT = 2**53
"""Whole numbers from here on may have been rounded when they were stored as floats."""


@dataclass(frozen=True)
class Cells:
    """A column as the contract has it, and what is to be known of single cells."""

    value: pl.Expr
    marks: dict[str, pl.Expr] = field(default_factory=dict)
    """Expressions that are true where a cell is something, by what it is: `UNREADABLE` as the
    contract's type, `DATED` by a date instead of a number, or worth a notice."""


def is_text(dtype: object) -> bool:
    """Tell whether a column holds text; Spark and Impala may write it as bytes."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum | pl.Binary)


def as_text(name: str, dtype: pl.DataType) -> pl.Expr:
    """Give cells as text, just as they stand in the file."""
    column = pl.col(name)
    if isinstance(dtype, pl.Array):
        return as_text_of_lists(column.arr.to_list())
    if isinstance(dtype, pl.List):
        return as_text_of_lists(column)
    return column.cast(pl.String)


def as_text_of_lists(column: pl.Expr) -> pl.Expr:
    """Join lists of anything that has a text, as `a|b|c`; nulls in them are left out."""
    return column.list.eval(pl.element().cast(pl.String)).list.join("|", ignore_nulls=True)


def read_cells(column: Column, dtype: pl.DataType) -> Cells | None:
    """Say how a column of a file becomes one of the contract; None if its type cannot be meant."""
    if isinstance(dtype, pl.Null):
        return Cells(pl.lit(None, dtype=TARGET[column.kind]))
    match column.kind:
        case "id":
            return _ids(column.name, dtype)
        case "text":
            return Cells(_visible(as_text(column.name, dtype))) if is_text(dtype) else None
        case "genres":
            return _genres(column.name, dtype)
        case "moment":
            return _moments(column.name, dtype)
        case "integer" | "number":
            return _numbers(column, dtype)


def _visible(text: pl.Expr) -> pl.Expr:
    return pl.when(text.str.contains(r"\S")).then(text)


def _ids(name: str, dtype: pl.DataType) -> Cells | None:
    column = pl.col(name)
    if is_text(dtype) or dtype.is_integer() or _is_whole_decimal(dtype):
        return Cells(_visible(column.cast(pl.String)))
    if not dtype.is_float():
        return None
    there = column.is_not_null() & column.is_not_nan()
    whole = (column == column.floor()) & (column.abs() < _EXACT)
    text = pl.when(there & whole).then(column.cast(pl.Int64, strict=False)).cast(pl.String)
    return Cells(text, {WHOLE: there & whole, UNREADABLE: there & ~whole})


def _is_whole_decimal(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Decimal) and dtype.scale == 0


def _genres(name: str, dtype: pl.DataType) -> Cells | None:
    if isinstance(dtype, pl.List | pl.Array):
        inner = dtype.inner
        if isinstance(inner, pl.Null):
            return Cells(pl.lit(None, dtype=pl.String))
        if not is_text(inner) and not inner.is_numeric():
            return None
        return Cells(_visible(as_text(name, dtype)))
    if not is_text(dtype):
        return None
    text = _visible(as_text(name, dtype))
    return Cells(text, {BRACKETED: text.str.contains(r"^\s*\[.*\]\s*$")})


def _moments(name: str, dtype: pl.DataType) -> Cells | None:
    if is_text(dtype):
        cell = _visible(as_text(name, dtype))
        read = moments.of_text(name)
    elif dtype.is_numeric():
        cell = _without_nan(name, dtype)
        read = moments.of_numbers(cell)
    elif isinstance(dtype, pl.Datetime | pl.Date):
        cell = pl.col(name)
        read = moments.of_dates(cell, dtype)
    else:
        return None
    marks = {
        UNREADABLE: cell.is_not_null() & read.seconds.is_null(),
        DATED: read.dated,
        FLOORED: read.floored,
        ZONELESS: read.zoneless,
        **_nan_mark(name, dtype),
    }
    return Cells(read.seconds, marks)


def _numbers(column: Column, dtype: pl.DataType) -> Cells | None:
    name, target = column.name, TARGET[column.kind]
    if is_text(dtype):
        cell = _visible(as_text(name, dtype)).str.strip_chars()
    elif dtype.is_numeric():
        cell = _without_nan(name, dtype)
    else:
        return None
    real = cell.cast(pl.Float64, strict=False)
    value = real
    if column.kind == "integer":  # "12.0" and 12.0 are whole, 12.5 is not
        whole = pl.when(real == real.floor()).then(real)
        exact = pl.when(whole.is_not_null()).then(cell.cast(target, strict=False))
        value = pl.coalesce(exact, whole.cast(target, strict=False))
    value = pl.when(real.is_finite()).then(value)
    unreadable = cell.is_not_null() & value.is_null()
    return Cells(value, {UNREADABLE: unreadable, **_nan_mark(name, dtype)})


def _without_nan(name: str, dtype: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    return column.fill_nan(None) if dtype.is_float() else column


def _nan_mark(name: str, dtype: pl.DataType) -> dict[str, pl.Expr]:
    return {NAN: pl.col(name).is_nan()} if dtype.is_float() else {}
