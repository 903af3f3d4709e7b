"""All parts of a table as one lazy frame, its rows numbered, its cells as the files have them."""

from collections.abc import Sequence

import polars as pl

from tables.errors import DataError
from tables.parts import Part, Parts

ROW = "row"
"""Number of a row in its table, the first data row being 1; blank lines of a CSV count."""
_FILLED = "filled"


def scan_parts(parts: Parts, required: Sequence[str]) -> tuple[pl.LazyFrame, list[str]]:
    """Put all parts one after the other and number their rows; name the columns that they have.

    Blank lines of a CSV are no rows.

    Raises:
        DataError: a part lacks a required column.
    """
    of_csv = parts.parts[0].format == "CSV"
    files = parts.parts
    if of_csv:  # Spark leaves an empty file of a partition without rows
        files = tuple(part for part in files if part.path.stat().st_size) or files[:1]
    scans = [_scan(part) for part in files]
    for part, scan in zip(files, scans, strict=True):
        _check_header(parts, part, scan.collect_schema().names(), required)
    scan = pl.concat(scans, how="diagonal_relaxed")
    names = scan.collect_schema().names()
    if not of_csv:
        return _numbered(scan, names), names
    of_folders = {name for part in files for name, _ in part.columns}
    cells = [pl.col(name).str.contains(r"\S") for name in names if name not in of_folders]
    filled = pl.any_horizontal(cell.fill_null(value=False) for cell in cells)
    return _numbered(scan.with_columns(filled.alias(_FILLED)), names).filter(_FILLED), names


def why_not(parts: Parts, error: Exception) -> str:
    """Say why a table cannot be read, and which of its parts if it is one of many."""
    why = str(error).splitlines()[0]  # what polars adds are settings of its own
    if parts.parts[0].format == "CSV" and ("could not parse" in why or "malformed" in why):
        why = f"{why}; a quote inside a cell of a CSV has to be written twice"
    for part in parts.parts if len(parts.parts) > 1 else ():
        try:
            _scan(part).select(pl.all().count()).collect()
        except (pl.exceptions.PolarsError, OSError):
            return f"{_name(parts, part)}: cannot be read: {why}"
    return f"{parts.name}: cannot be read: {why}"


def _scan(part: Part) -> pl.LazyFrame:
    """Read one part, with the columns that its folders give it."""
    if part.format == "CSV":
        scan = pl.scan_csv(part.path, infer_schema=False, glob=False)
    else:
        scan = pl.scan_parquet(part.path, glob=False, hive_partitioning=False)
    return scan.with_columns(
        pl.lit(value, dtype=pl.String).alias(name) for name, value in part.columns
    )


def _check_header(parts: Parts, part: Part, there: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in there]
    if not missing:
        return
    why = ""
    if any("\ufffd" in name for name in there):
        why = ": it is not UTF-8"
    elif len(there) == 1 and any(mark in there[0] for mark in ";\t|"):
        why = ": expected commas between the cells"
    raise DataError(
        f"{_name(parts, part)}: column {missing[0]!r} is missing; it has {', '.join(there)}{why}"
    )


def _name(parts: Parts, part: Part) -> str:
    return parts.name if len(parts.parts) == 1 else f"{parts.name}: {part.path.name}"


def _numbered(scan: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """Number the rows; a column of the file that has the number's name makes room."""
    rest = scan.drop(ROW) if ROW in names else scan
    return rest.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))
