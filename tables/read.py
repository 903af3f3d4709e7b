"""The files of one table -> a frame with the contract's columns and types."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from tables.cells import (
    BRACKETED,
    EXPECTED,
    FLOORED,
    NAN,
    TARGET,
    UNREADABLE,
    WHOLE,
    ZONELESS,
    Cells,
    as_text,
    is_text,
    read_cells,
)
from tables.contract import Column
from tables.errors import DataError
from tables.moments import prepare_text
from tables.parts import Parts
from tables.problems import rows_of
from tables.scan import ROW, scan_parts, why_not

_NOTICES = {
    NAN: "is NaN and counts as a gap",
    WHOLE: "stored as 12.0 and read as 12",
    FLOORED: "with a fraction of a second, which is left out",
    ZONELESS: "without a time zone, read as UTC",
    BRACKETED: "written like ['a', 'b'] and read as one; expected a|b",
}


@dataclass(frozen=True)
class Table:
    """One table as read: its name, its typed rows, and what stood there."""

    file: str
    frame: pl.DataFrame
    """`ROW`, every column of the contract (all null where the file has none), and the marks of
    `UNREADABLE` and `DATED` cells where there are any."""
    raw: pl.LazyFrame
    """`ROW` and the contract's columns that the file has, as text as it stands there."""
    columns: tuple[str, ...]
    """Columns of the contract, whether the file has them or not."""
    notices: tuple[str, ...] = ()

    def marked(self, mark: str, name: str) -> pl.Expr:
        """Tell which cells of a column have a mark."""
        known = _mark(mark, name) in self.frame.columns
        return pl.col(_mark(mark, name)) if known else pl.lit(value=False)


def read_table(parts: Parts, columns: Sequence[Column]) -> Table:
    """Read the files of a table and bring its columns to the contract's types.

    A value that cannot be read as its column's type becomes null and is marked; it is for the row
    checks to name it, with the text that stood there.

    Raises:
        DataError: a file cannot be read, a required column is missing, or a column has
            a type that cannot be meant.
    """
    try:
        return _read(parts, columns)
    except pl.exceptions.NoDataError as error:
        raise DataError(f"{parts.name}: the file is empty, not even a header line") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(why_not(parts, error)) from error


def _read(parts: Parts, columns: Sequence[Column]) -> Table:
    scan, there = scan_parts(parts, [one.name for one in columns if one.required])
    schema = scan.collect_schema()
    known = [column for column in columns if column.name in there]
    cells = {column.name: _cells(parts, column, schema[column.name]) for column in known}
    marks = {(mark, name): expr for name in cells for mark, expr in cells[name].marks.items()}
    frame = (
        scan.pipe(_prepared, known, schema)
        .select(
            ROW,
            *(_value(column, cells.get(column.name)) for column in columns),
            *(expr.alias(_mark(*key)) for key, expr in marks.items()),
        )
        .collect()
    )
    counts = {key: int(frame[_mark(*key)].sum()) for key in marks}
    for column in known:
        if column.kind == "id" and counts.get((UNREADABLE, column.name)):
            raise _wrong_type(parts, column, schema[column.name])
    done = [key for key in marks if key[0] in _NOTICES or not counts[key]]
    ignored = [name for name in there if name not in {column.name for column in columns}]
    return Table(
        parts.name,
        frame.drop(_mark(*key) for key in done),
        scan.select(ROW, *(as_text(one.name, schema[one.name]) for one in known)),
        tuple(column.name for column in columns),
        (*_ignored(parts, ignored), *_counted(parts, counts)),
    )


def _cells(parts: Parts, column: Column, dtype: pl.DataType) -> Cells:
    cells = read_cells(column, dtype)
    if cells is None:
        raise _wrong_type(parts, column, dtype)
    return cells


def _wrong_type(parts: Parts, column: Column, dtype: pl.DataType) -> DataError:
    return DataError(
        f"{parts.name}: column {column.name!r}: expected {EXPECTED[column.kind]}, got {dtype}"
    )


def _prepared(scan: pl.LazyFrame, known: Sequence[Column], schema: pl.Schema) -> pl.LazyFrame:
    for column in known:
        if column.kind == "moment" and is_text(schema[column.name]):
            scan = prepare_text(scan, column.name)
    return scan


def _value(column: Column, cells: Cells | None) -> pl.Expr:
    value = cells.value if cells else pl.lit(None, dtype=TARGET[column.kind])
    return value.alias(column.name)


def _mark(mark: str, name: str) -> str:
    return f"{mark} {name}"


def _ignored(parts: Parts, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    return (f"{parts.name}: ignored columns outside the contract: {', '.join(names)}",)


def _counted(parts: Parts, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (mark, name), count in counts.items():
        if count and mark in _NOTICES:
            yield f"{parts.name}: {name} {_NOTICES[mark]}: {rows_of(count)}"
