"""The row checks of the data contract: sound rows on one side, named bad rows on the other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from features.errors import TextError
from features.schema import MAX_ID_BYTES, TEXT_FIELDS, ItemRecord, compose_text
from tables.cells import DATED, UNREADABLE
from tables.errors import DataError
from tables.problems import EXAMPLES_SHOWN, Problem, Problems
from tables.read import Table
from tables.roles import FILE as CONFIG_FILE
from tables.roles import SignalRoles
from tables.scan import ROW

PROBLEM = "problem"
_NEVER = pl.lit(value=False)
_MOST_SHOWN = 80  # characters of a value
_YEAR_2100 = 4_102_444_800
_UNITS = {"nanoseconds": 1_000_000_000, "microseconds": 1_000_000, "milliseconds": 1_000}
"""By how many make a second. The largest comes first, since a row is named by its first problem."""


@dataclass(frozen=True)
class Check:
    """One kind of bad row."""

    kind: str
    field: str
    explanation: str
    bad: pl.Expr
    """True where the row is bad; null counts as sound."""


@dataclass(frozen=True)
class Checked:
    """A table after its checks."""

    sound: pl.DataFrame
    rejected: pl.DataFrame
    """Bad rows as text, just as they stand in the file, with `problem`, `file` and `row` in
    front."""
    problems: Problems


def run_checks(table: Table, checks: Sequence[Check]) -> Checked:
    """Sort a table's rows into sound and bad ones; a row is named by its first problem."""
    kind = pl.coalesce(
        *(pl.when(check.bad.fill_null(value=False)).then(pl.lit(check.kind)) for check in checks),
        pl.lit(None, dtype=pl.String),
    )
    marked = table.frame.with_columns(kind.alias(PROBLEM))
    sound = marked.filter(pl.col(PROBLEM).is_null()).select(ROW, *table.columns)
    bad = _as_they_stand(table, marked.filter(pl.col(PROBLEM).is_not_null()).select(ROW, PROBLEM))
    kinds = tuple(
        _describe(table, check, rows)
        for check in checks
        if len(rows := bad.filter(pl.col(PROBLEM) == check.kind))
    )
    return Checked(sound, bad, Problems(kinds, table.notices, {table.file: len(table.frame)}))


def _as_they_stand(table: Table, named: pl.DataFrame) -> pl.DataFrame:
    """Fetch bad rows from the file once more, as text; null where it has no such column.

    Raises:
        DataError: the file can no longer be read.
    """
    there = table.raw.collect_schema().names()
    columns = (
        pl.col(name) if name in there else pl.lit(None, dtype=pl.String).alias(name)
        for name in table.columns
    )
    rows = named.lazy().join(table.raw, on=ROW, how="left", maintain_order="left")
    if not len(named):
        rows = rows.clear()
    try:
        return rows.select(PROBLEM, pl.lit(table.file).alias("file"), ROW, *columns).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{table.file}: cannot be read: {error}") from error


def _describe(table: Table, check: Check, rows: pl.DataFrame) -> Problem:
    ids = [name for name in ("user_id", "item_id") if name in rows.columns]
    shown = [ROW, *dict.fromkeys([*ids, check.field])]
    examples = tuple(
        ", ".join(f"{name} {_cut(value)}" for name, value in row.items())
        for row in rows.head(EXAMPLES_SHOWN).select(shown).to_dicts()
    )
    return Problem(check.kind, table.file, check.field, check.explanation, len(rows), examples)


def _cut(value: object) -> str:
    """Write a value for a report: a number as it is, text in quotes and not at any length."""
    if isinstance(value, str) and len(value) > _MOST_SHOWN:
        return f"{value[:_MOST_SHOWN]!r}…"
    return repr(value)


def _blank(name: str) -> pl.Expr:
    """Null, or nothing but white space and control characters."""
    return pl.col(name).is_null() | ~pl.col(name).str.contains(r"[^\s\p{Cc}]")


def _too_long(name: str) -> Check:
    return Check(
        f"long_{name}",
        name,
        f"an id has {MAX_ID_BYTES} bytes of UTF-8 at most, or the server could not be asked for it",
        pl.col(name).str.len_bytes() > MAX_ID_BYTES,
    )


def _repeated(name: str) -> pl.Expr:
    """An id that an earlier row of the file already holds."""
    return ~pl.col(name).is_first_distinct()


def check_items(table: Table) -> Checked:
    """Check the catalogue: ids, types, something to read, years."""
    mute = pl.Series(_mute_rows(table.frame), dtype=pl.Int64)
    return run_checks(
        table,
        [
            Check("null_item_id", "item_id", "an item needs an id", _blank("item_id")),
            _too_long("item_id"),
            Check(
                "null_item_type",
                "item_type",
                "an item needs a type, such as film; of one type only, it is the same in every row",
                _blank("item_type"),
            ),
            Check(
                "duplicate_item",
                "item_id",
                "an item id stands in one row; the first row counts",
                _repeated("item_id"),
            ),
            Check(
                "item_without_text",
                "title",
                "at least one of title, description, genres and creator must say something",
                pl.col(ROW).is_in(mute.implode()),
            ),
            Check("bad_year", "year", "expected a whole number", table.marked(UNREADABLE, "year")),
        ],
    )


def _mute_rows(items: pl.DataFrame) -> list[int]:
    """Find the rows of which a featurizer would have nothing to read.

    Whatever holds a letter or a digit is text; only what does not is asked about one by one.
    """
    spoken = pl.any_horizontal(
        pl.col(name).str.contains(r"[\p{L}\p{N}]").fill_null(value=False) for name in TEXT_FIELDS
    )
    return [row[ROW] for row in items.filter(~spoken).iter_rows(named=True) if not _has_text(row)]


def _has_text(row: Mapping[str, object]) -> bool:
    try:
        return bool(compose_text(ItemRecord.from_row(row)))
    except TextError:
        return False


def check_users(table: Table) -> Checked:
    """Check the people's file: ids, each of them once."""
    return run_checks(
        table,
        [
            Check("null_user_id", "user_id", "a user needs an id", _blank("user_id")),
            _too_long("user_id"),
            Check(
                "duplicate_user",
                "user_id",
                "a user id stands in one row; the first row counts",
                _repeated("user_id"),
            ),
        ],
    )


def check_interactions(
    table: Table, item_ids: pl.Series, roles: SignalRoles, *, now: int, hint: str | None = None
) -> Checked:
    """Check the interactions against the catalogue, the clock and the declared signals.

    `hint` says why items may be unknown. The same person with the same item again is no problem:
    people listen twice.
    """
    time, weight = pl.col("timestamp"), pl.col("weight").cast(pl.Float32)
    split = pl.col("split")
    return run_checks(
        table,
        [
            Check("null_user_id", "user_id", "an interaction needs a user", _blank("user_id")),
            Check("null_item_id", "item_id", "an interaction needs an item", _blank("item_id")),
            _too_long("user_id"),
            _too_long("item_id"),
            Check(
                "unknown_item",
                "item_id",
                "; ".join(filter(None, ("the item is not among the sound rows of items", hint))),
                ~pl.col("item_id").is_in(item_ids.implode()),
            ),
            Check(
                "bad_timestamp",
                "timestamp",
                "expected unix seconds or ISO 8601, from 1970 on",
                table.marked(UNREADABLE, "timestamp") | (time < 0),
            ),
            *_other_units(table),
            Check("future", "timestamp", f"later than now ({_written(now)})", time > now),
            Check("bad_seq", "seq", "expected a whole number", table.marked(UNREADABLE, "seq")),
            Check(
                "zero_weight",
                "weight",
                "a weight is above 0; where 0 means disliked, give these rows a signal that "
                f"{CONFIG_FILE} calls negative and leave the weight empty; where it means not "
                "rated, leave it empty",
                pl.col("weight") == 0,
            ),
            Check(
                "bad_weight",
                "weight",
                "expected a finite number above 0 that float32 can hold",
                table.marked(UNREADABLE, "weight") | ~weight.is_finite() | (weight <= 0),
            ),
            Check(
                "unknown_signal",
                "signal",
                "dataset.toml gives this signal no role",
                _without_role(roles.roles),
            ),
            Check(
                "unknown_split",
                "split",
                "expected train, valid or a name that begins with test",
                _NEVER
                if table.frame["split"].null_count() == len(table.frame)
                else split.is_null()
                | ~(split.is_in(["train", "valid"]) | split.str.starts_with("test")),
            ),
        ],
    )


def _without_role(declared: Collection[str]) -> pl.Expr:
    known = pl.Series(list(declared), dtype=pl.String)
    return ~pl.col("signal").fill_null("").is_in(known.implode()) if declared else _NEVER


def _other_units(table: Table) -> list[Check]:
    """Name the unit of times which as seconds lie past the year 2100."""
    time, number = pl.col("timestamp"), ~table.marked(DATED, "timestamp")
    return [
        Check(
            unit,
            "timestamp",
            f"past the year 2100 as unix seconds; likely {unit}: divide by {factor:,}",
            number & (time >= _YEAR_2100 * factor // 1_000),
        )
        for unit, factor in _UNITS.items()
    ]


def _written(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
