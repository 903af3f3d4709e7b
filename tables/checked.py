"""A data folder -> its tables after all checks, and the report on them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from tables.check import Checked, check_interactions, check_items, check_users
from tables.contract import INTERACTIONS, ITEMS, USERS
from tables.entities import decode_entities
from tables.errors import DataError
from tables.ids import join_float_forms, what_differs
from tables.parts import Parts, check_folder, find_table
from tables.problems import Problems
from tables.read import Table, read_table
from tables.roles import DatasetConfig, read_config


@dataclass(frozen=True)
class CheckedTables:
    """What a data folder holds, sound rows apart from bad ones."""

    items: Checked
    users: Checked | None
    interactions: Checked
    config: DatasetConfig

    @property
    def parts(self) -> Sequence[Checked]:
        """The tables that are there."""
        return [self.items, *([self.users] if self.users else []), self.interactions]

    @property
    def problems(self) -> Problems:
        """The report on all of them."""
        problems = Problems()
        for part in self.parts:
            problems = problems.merged(part.problems)
        return problems


def check_tables(folder: Path, *, strict: bool, now: int | None = None) -> CheckedTables:
    """Read and check the tables of a data folder; `now` (the clock if None) begins the future.

    Raises:
        DataError: a file or a required column is missing, a column has a wrong type,
            dataset.toml is unclear, or a row is bad and `strict` is set.
    """
    check_folder(folder)
    config = read_config(folder)
    catalogue = decode_entities(read_table(_needed(folder, "items"), ITEMS))
    found = find_table(folder, "users")
    people = read_table(found, USERS) if found else None
    events = read_table(_needed(folder, "interactions"), INTERACTIONS)
    catalogue, events = join_float_forms(catalogue, events, "item_id")
    if people is not None:
        people, events = join_float_forms(people, events, "user_id")
        people = _with_hint(people, events)
    items = check_items(catalogue)
    tables = CheckedTables(
        items,
        None if people is None else check_users(people),
        check_interactions(
            events,
            items.sound["item_id"],
            config.roles,
            now=int(time.time()) if now is None else now,
            hint=_why_unknown(events.frame["item_id"], items, catalogue),
        ),
        config,
    )
    problems = tables.problems
    if strict and problems.total:
        raise DataError(f"strict: {problems.total:,} bad rows\n{problems.render()}", problems)
    return tables


def refuse_nothing_left(
    items: pl.DataFrame, interactions: pl.DataFrame, problems: Problems
) -> None:
    """Refuse a data set without a sound item or interaction.

    Raises:
        DataError: there is none.
    """
    for name, rows in (("items", items), ("interactions", interactions)):
        if not len(rows):
            raise DataError(f"{name}: no sound row left\n{problems.render()}".rstrip(), problems)


def _needed(folder: Path, name: str) -> Parts:
    found = find_table(folder, name)
    if found is None:
        raise DataError(f"{folder}: neither {name}.parquet nor {name}.csv")
    return found


def _with_hint(people: Table, events: Table) -> Table:
    """Say where most people of the interactions are not in their own file, if it is seen why."""
    asked, known = events.frame["user_id"].unique(maintain_order=True), people.frame["user_id"]
    why = what_differs(asked, known, people.file, examples=False)
    if why is None:
        return people
    notice = f"{events.file}: most people are not in {people.file}: {why}"
    return replace(people, notices=(*people.notices, notice))


def _why_unknown(asked: pl.Series, items: Checked, catalogue: Table) -> str | None:
    """Say what may be wrong where items are unknown; None where nothing is found."""
    aside = items.rejected["item_id"].drop_nulls().unique()
    aside = aside.filter(~aside.is_in(items.sound["item_id"].implode()))
    count = int(asked.is_in(aside.implode()).sum())
    if count:
        return f"{count:,} of them name an item whose row was set aside"
    return what_differs(asked, catalogue.frame["item_id"], catalogue.file)
