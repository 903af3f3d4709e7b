"""Moments as files have them -> whole unix seconds, by expressions over a column."""

from dataclasses import dataclass

import polars as pl

UNITS_PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
DAY_S = 86_400

_NUMBER, _PARTS = "number of ", "parts of "
# The basic form without separators is brought to the extended one first.
_BASIC = r"^([0-9]{4})([0-9]{2})([0-9]{2})[Tt]([0-9]{2})([0-9]{2})([0-9]{2})"
_EXTENDED = "${1}-${2}-${3}T${4}:${5}:${6}"
_ISO = (
    r"^(?<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:[Tt ](?<minute>[0-9]{2}:[0-9]{2})(?::(?<second>[0-9]{2})(?:[.,](?<fraction>[0-9]+))?)?"
    r"\s?(?<zone>[Zz]|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$"
)


@dataclass(frozen=True)
class Moments:
    """Expressions over one column of times."""

    seconds: pl.Expr
    """Unix seconds, int64; null where there is no time or none that can be read."""
    floored: pl.Expr
    """True where a fraction of a second was left out."""
    zoneless: pl.Expr
    """True where a date or a time of day came without a zone and UTC was taken."""
    dated: pl.Expr
    """True where a date stood, not a number."""


def of_dates(column: pl.Expr, dtype: pl.DataType) -> Moments:
    """Read a column of dates or of dates and times, which hold UTC where they have a zone."""
    there = column.is_not_null()
    count = column.to_physical().cast(pl.Int64)
    if not isinstance(dtype, pl.Datetime):
        return Moments(count * DAY_S, pl.lit(value=False), there, there)
    per_second = UNITS_PER_SECOND[dtype.time_unit]
    zoneless = there if dtype.time_zone is None else pl.lit(value=False)
    return Moments(count.floordiv(per_second), count % per_second != 0, zoneless, there)


def of_numbers(column: pl.Expr) -> Moments:
    """Read a column of unix seconds."""
    never = pl.lit(value=False)
    number = column.cast(pl.Float64, strict=False)
    whole = column.cast(pl.Int64, strict=False)  # floats over 2 ** 53 have no fraction to lose
    floored = number.is_finite() & (number != number.floor())
    seconds = pl.when(number.is_finite()).then(
        pl.when(floored).then(number.floor().cast(pl.Int64, strict=False)).otherwise(whole)
    )
    return Moments(seconds, floored, never, never)


def prepare_text(raw: pl.LazyFrame, name: str) -> pl.LazyFrame:
    """Put beside a column of text what `of_text` needs of it, so that it is cut up once.

    Numbers are not looked through for dates.
    """
    text = pl.col(name).cast(pl.String).str.strip_chars()
    number = text.cast(pl.Float64, strict=False)
    parts = pl.when(number.is_null()).then(text).str.replace(_BASIC, _EXTENDED)
    return raw.with_columns(
        number.alias(_NUMBER + name), parts.str.extract_groups(_ISO).alias(_PARTS + name)
    )


def of_text(name: str) -> Moments:
    """Read a column of text: unix seconds, or dates and times as ISO 8601 writes them.

    The frame has to come from `prepare_text`.
    """
    numbers, dates = of_numbers(pl.col(_NUMBER + name)), _of_parts(pl.col(_PARTS + name))
    dated = dates.seconds.is_not_null()
    return Moments(
        pl.coalesce(numbers.seconds, dates.seconds),
        pl.when(dated).then(dates.floored).otherwise(numbers.floored),
        dated & dates.zoneless,
        dated,
    )


def _of_parts(parts: pl.Expr) -> Moments:
    fields = parts.struct
    date, zone, fraction = fields["date"], fields["zone"], fields["fraction"]
    clock = pl.concat_str(
        date,
        pl.lit("T"),
        fields["minute"].fill_null("00:00"),
        pl.lit(":"),
        fields["second"].fill_null("00"),
    )
    local = clock.str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False, time_unit="ms")
    seconds = local.to_physical().cast(pl.Int64).floordiv(UNITS_PER_SECOND["ms"])
    return Moments(
        seconds - _offset(zone),
        fraction.str.contains("[1-9]").fill_null(value=False),
        zone.is_null(),
        date.is_not_null(),
    )


def _offset(zone: pl.Expr) -> pl.Expr:
    """Seconds that a zone is ahead of UTC; 0 for UTC itself."""
    digits = zone.str.replace(":", "")
    hours = digits.str.slice(1, 2).cast(pl.Int64, strict=False).fill_null(0)
    minutes = digits.str.slice(3, 2).cast(pl.Int64, strict=False).fill_null(0)
    ahead = (hours * 60 + minutes) * 60
    return pl.when(zone.str.starts_with("-")).then(-ahead).otherwise(ahead).fill_null(0)
