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
from tables.parts import Part, Parts
from tables.problems import rows_of

ROW = "row"
"""Number of a row in its file, the first data row being 1; blank lines of a CSV count."""
_FILLED = "filled"
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
        raise DataError(f"{parts.name}: cannot be read: {error}") from error


def _read(parts: Parts, columns: Sequence[Column]) -> Table:
    scan, there = _scan(parts)
    schema = scan.collect_schema()
    missing = [one.name for one in columns if one.required and one.name not in there]
    if missing:
        raise DataError(f"{parts.name}: column {missing[0]!r} is missing; {_header(there)}")
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


def _header(there: Sequence[str]) -> str:
    """Say which columns a file has, and why one that has the right ones may seem not to."""
    has = f"it has {', '.join(there)}"
    if any("\ufffd" in name for name in there):
        return f"{has}: it is not UTF-8"
    if len(there) == 1 and any(mark in there[0] for mark in ";\t|"):
        return f"{has}: expected commas between the cells"
    return has


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


def _scan(parts: Parts) -> tuple[pl.LazyFrame, list[str]]:
    """Read all parts one after the other, every row with its number; name their columns.

    Blank lines of a CSV are no rows.
    """
    if parts.parts[0].format == "parquet":
        scan = pl.concat([_scan_parquet(part) for part in parts.parts], how="diagonal_relaxed")
        names = scan.collect_schema().names()
        return _numbered(scan, names), names
    files = [part for part in parts.parts if part.path.stat().st_size] or parts.parts[:1]
    scan = pl.concat([_scan_csv(part) for part in files], how="diagonal")
    names = scan.collect_schema().names()
    of_folders = {name for part in parts.parts for name, _ in part.columns}
    cells = [pl.col(name).str.contains(r"\S") for name in names if name not in of_folders]
    filled = pl.any_horizontal(cell.fill_null(value=False) for cell in cells)
    return _numbered(scan.with_columns(filled.alias(_FILLED)), names).filter(_FILLED), names


def _numbered(scan: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """Number the rows; a column of the file that has the number's name makes room."""
    rest = scan.drop(ROW) if ROW in names else scan
    return rest.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))


def _scan_parquet(part: Part) -> pl.LazyFrame:
    scan = pl.scan_parquet(part.path, glob=False, hive_partitioning=False)
    return _with_columns(scan, part)


def _scan_csv(part: Part) -> pl.LazyFrame:
    return _with_columns(pl.scan_csv(part.path, infer_schema=False, glob=False), part)


def _with_columns(scan: pl.LazyFrame, part: Part) -> pl.LazyFrame:
    """Add the columns that the folders of a part name."""
    return scan.with_columns(
        pl.lit(value, dtype=pl.String).alias(name) for name, value in part.columns
    )
