"""The row checks of the data contract: sound rows on one side, named bad rows on the other."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from features.errors import TextError
from features.schema import TEXT_FIELDS, ItemRecord, compose_text
from tables.problems import EXAMPLES_SHOWN, Problem, Problems
from tables.read import ROW, UNREADABLE, Table
from tables.roles import SignalRoles

PROBLEM = "problem"
_NEVER = pl.lit(value=False)


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
    """Bad rows as text, with `problem`, `file` and `row` in front."""
    problems: Problems


def run_checks(table: Table, checks: Sequence[Check]) -> Checked:
    """Sort a table's rows into sound and bad ones; a row is named by its first problem."""
    kind = pl.coalesce(
        *(pl.when(check.bad.fill_null(value=False)).then(pl.lit(check.kind)) for check in checks),
        pl.lit(None, dtype=pl.String),
    )
    marked = table.frame.with_columns(kind.alias(PROBLEM))
    shown = [name for name in table.frame.columns if not name.startswith(UNREADABLE)]
    sound = marked.filter(pl.col(PROBLEM).is_null()).select(shown)
    bad = marked.filter(pl.col(PROBLEM).is_not_null()).select(
        PROBLEM,
        pl.lit(table.file).alias("file"),
        ROW,
        *(pl.col(name).cast(pl.String) for name in shown if name != ROW),
    )
    kinds = tuple(
        _describe(table, check, rows)
        for check in checks
        if len(rows := bad.filter(pl.col(PROBLEM) == check.kind))
    )
    notices = (
        (f"{table.file}: ignored columns outside the contract: {', '.join(table.ignored)}",)
        if table.ignored
        else ()
    )
    return Checked(sound, bad, Problems(kinds, notices, {table.file: len(table.frame)}))


def _describe(table: Table, check: Check, rows: pl.DataFrame) -> Problem:
    ids = [name for name in ("user_id", "item_id") if name in rows.columns]
    shown = [ROW, *dict.fromkeys([*ids, check.field])]
    examples = tuple(
        ", ".join(f"{name} {value!r}" if name != ROW else f"row {value}" for name, value in one)
        for one in (row.items() for row in rows.head(EXAMPLES_SHOWN).select(shown).to_dicts())
    )
    return Problem(check.kind, table.file, check.field, check.explanation, len(rows), examples)


def _blank(name: str) -> pl.Expr:
    """Null, or nothing but white space and control characters."""
    return pl.col(name).is_null() | ~pl.col(name).str.contains(r"[^\s\p{Cc}]")


def _unreadable(table: Table, name: str) -> pl.Expr:
    marker = UNREADABLE + name
    return pl.col(marker) if marker in table.frame.columns else _NEVER


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
            Check("null_item_type", "item_type", "an item needs a type", _blank("item_type")),
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
            Check("bad_year", "year", "expected a whole number", _unreadable(table, "year")),
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
            Check(
                "duplicate_user",
                "user_id",
                "a user id stands in one row; the first row counts",
                _repeated("user_id"),
            ),
        ],
    )


def check_interactions(
    table: Table, item_ids: pl.Series, roles: SignalRoles, *, now: int
) -> Checked:
    """Check the interactions against the catalogue, the clock and the declared signals.

    The same person with the same item again is no problem: people listen twice.
    """
    time, weight = pl.col("timestamp"), pl.col("weight").cast(pl.Float32)
    split = pl.col("split")
    return run_checks(
        table,
        [
            Check("null_user_id", "user_id", "an interaction needs a user", _blank("user_id")),
            Check("null_item_id", "item_id", "an interaction needs an item", _blank("item_id")),
            Check(
                "unknown_item",
                "item_id",
                "the item is not among the sound rows of the items",
                ~pl.col("item_id").is_in(item_ids.implode()),
            ),
            Check(
                "bad_timestamp",
                "timestamp",
                "expected whole unix seconds since 1970",
                _unreadable(table, "timestamp") | (time < 0),
            ),
            Check(
                "future",
                "timestamp",
                f"later than now ({now}); unix seconds are meant, not milliseconds",
                time > now,
            ),
            Check("bad_seq", "seq", "expected a whole number", _unreadable(table, "seq")),
            Check(
                "bad_weight",
                "weight",
                "expected a finite number above 0 that float32 can hold",
                _unreadable(table, "weight") | ~weight.is_finite() | (weight <= 0),
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
