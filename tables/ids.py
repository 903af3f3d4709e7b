"""Ids of two tables that mean the same and are written differently: joined, or a hint given."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from tables.problems import rows_of
from tables.read import Table

_WHOLE = r"^-?[0-9]+(\.0+)?$"
_DECIMALS = r"\.0+$"
_MOST_COMPARED = 100_000
"""Unknown ids of which a hint is looked for; enough to see what they have in common."""

_Form = Callable[[pl.Expr], pl.Expr]
_FORMS: Mapping[str, _Form] = {
    "float form": lambda ids: ids.str.replace(_DECIMALS, ""),
    "letter case": lambda ids: ids.str.to_lowercase(),
    "white space": lambda ids: ids.str.replace_all(r"[\s\p{Cf}\p{Cc}]+", ""),
    "Unicode form": lambda ids: ids.str.normalize("NFC"),
    "leading zeros": lambda ids: ids.str.replace("^0+", ""),
}


def join_float_forms(one: Table, other: Table, name: str) -> tuple[Table, Table]:
    """Read `12.0` as `12` in the table that has ids so, where the other has them without.

    Nothing happens unless all of the table's ids are whole numbers, and some are in the other.
    """
    first, second = (table.frame[name].drop_nulls().unique() for table in (one, other))
    floats = [_is_float_form(ids) for ids in (first, second)]
    if floats == [True, False]:
        return _without_decimals(one, name, second), other
    if floats == [False, True]:
        return one, _without_decimals(other, name, first)
    return one, other


def _is_float_form(ids: pl.Series) -> bool:
    return bool(ids.str.contains(_DECIMALS).any()) and bool(ids.str.contains(_WHOLE).all())


def _without_decimals(table: Table, name: str, known: pl.Series) -> Table:
    ids = table.frame[name].str.replace(_DECIMALS, "")
    if not ids.is_in(known.implode()).any():
        return table
    count = int((ids != table.frame[name]).sum())
    notice = f"{table.file}: {name} written as 12.0 and read as 12: {rows_of(count)}"
    return replace(table, frame=table.frame.with_columns(ids), notices=(*table.notices, notice))


def what_differs(
    asked: pl.Series, known: pl.Series, file: str, *, examples: bool = True
) -> str | None:
    """Say how ids differ from those of `file`, by an example of each side.

    Where most are unknown and nothing is found that they differ in, `examples` are given all the
    same. None where there is nothing to say.
    """
    asked, known = asked.drop_nulls(), known.drop_nulls().unique().sort()
    strange = asked.filter(~asked.is_in(known.implode()))
    if not len(known) or not len(strange):
        return None
    unknown = strange.unique(maintain_order=True).head(_MOST_COMPARED)
    pairs = {what: _pairs(unknown, known, form) for what, form in _FORMS.items()}
    pairs["several of white space, letter case and form"] = _pairs(unknown, known, _all_forms)
    what, most = max(pairs.items(), key=lambda each: len(each[1]))
    mostly_strange = 2 * len(strange) > len(asked)
    if len(most) and (mostly_strange or 2 * most["here"].n_unique() > len(unknown)):
        here, there = most.row(0)
        return f"the ids differ in {what}: {here!r} here, {there!r} in {file}"
    if examples and mostly_strange:
        return f"for example {unknown[0]!r} here, {known[0]!r} in {file}"
    return None


def _pairs(unknown: pl.Series, known: pl.Series, form: _Form) -> pl.DataFrame:
    """Give unknown and known ids that are the same in some form."""
    left = pl.DataFrame({"here": unknown}).with_columns(form(pl.col("here")).alias("form"))
    right = pl.DataFrame({"there": known}).with_columns(form(pl.col("there")).alias("form"))
    return left.join(right, on="form", maintain_order="left").select("here", "there")


def _all_forms(ids: pl.Expr) -> pl.Expr:
    for form in _FORMS.values():
        ids = form(ids)
    return ids
