"""Hold out: what may be learned from, and whom to predict from what."""

import dataclasses

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.cases import Cases, Visible, after, before, case_rows, make_cases
from graph.errors import SplitError
from graph.lending import (
    Split,
    lend_last,
    rank_from_last,
    strong_positions,
)
from graph.protocols import random_rows, unseen_items, unseen_people
from tables.dataset import Dataset
from tables.roles import FILE as CONFIG_FILE
from tables.roles import HoldOutRule

__all__ = [
    "Cases",
    "Split",
    "dataset_split",
    "hold_out",
    "keep_all",
    "leave_last_out",
    "time_cut",
    "time_last",
]

DAY_S = 86_400


def hold_out(dataset: Dataset, rule: HoldOutRule | None = None, *, seed: int = 0) -> Split:
    """Hold out by `rule`; without one by the data set's own `split`, else by its dataset.toml.

    Under a `rule` a data set with a `split` of its own takes part with its train rows alone.

    Raises:
        SplitError: the rule leaves nothing to learn from, or nothing to ask.
    """
    if dataset.has_split:
        if rule is None:
            return dataset_split(dataset, seed=seed)
        train = dataset.interactions.filter(pl.col("split") == "train")
        dataset = dataclasses.replace(dataset, interactions=train)
    return _by_rule(dataset, dataset.hold_out if rule is None else rule, seed)


def _by_rule(dataset: Dataset, chosen: HoldOutRule, seed: int) -> Split:
    match chosen.rule:
        case "time":
            return time_cut(dataset, chosen.days, seed=seed)
        case "time-last":
            return time_last(dataset, chosen.days, seed=seed)
        case "random":
            return random_rows(dataset, seed=seed)
        case "unseen-people":
            return unseen_people(dataset, seed=seed)
        case "unseen-items":
            return unseen_items(dataset, seed=seed)
        case "leave-last-out":
            return leave_last_out(dataset)


def keep_all(dataset: Dataset, *, seed: int = 0) -> Split:
    """Hold nothing out to report: for the model that serves.

    Everything is learned from (only the train rows where the data set has a `split`), but
    for the last strong interactions of a tenth of the people, which early stopping needs.

    Raises:
        SplitError: the data set's own `split` says train of no row.
    """
    rows = dataset.interactions
    if dataset.has_split:
        rows = rows.filter(pl.col("split") == "train")
    if not len(rows):
        raise SplitError("split: no row says train, so there is nothing to learn from")
    train, valid = lend_last(dataset, rows, seed)
    nobody = valid.take(np.empty(0, dtype=np.int64))
    return Split(train, valid, nobody, "nothing")


def leave_last_out(dataset: Dataset) -> Split:
    """Hold out each person's last strong interaction, and the one before for early stopping.

    People with two strong interactions give a test case alone, people with one give none.
    Whatever a person did from their first held-out interaction on, weak and negative
    signals too, is not learned from.

    Raises:
        SplitError: nobody has two strong interactions.
    """
    rows = dataset.interactions
    strong = strong_positions(rows)
    user = rows["user_row"].to_numpy()
    rank, count = rank_from_last(user[strong])
    test = strong[(rank == 0) & (count >= 2)]
    valid = strong[(rank == 1) & (count >= 3)]
    if not len(test):
        raise SplitError("leave-last-out: nobody has two strong interactions")
    visible = Visible.whole(rows)
    train = rows.filter(pl.Series(~after(user, _first_of(user, valid, test))))
    return Split(
        train,
        make_cases(dataset, valid, before(user, valid), visible, "valid", train),
        make_cases(dataset, test, before(user, test), visible, "test", train),
        "leave-last-out",
    )


def time_cut(dataset: Dataset, held_out_days: float, *, seed: int = 0) -> Split:
    """Hold out the last days of everybody at once.

    The cut lies `held_out_days` before the newest interaction. A case is a person's first
    strong interaction with each item type from the cut on; its history ends at the cut.
    Rows without a time cannot be placed and are neither learned from nor asked. For early
    stopping a tenth of the people lend their last strong interaction before the cut.

    Raises:
        SplitError: no interaction has a time, or nothing is left before or after the cut.
    """
    rows, late = _cut(dataset, held_out_days)
    strong = _late_strong(rows, late, held_out_days)
    user = rows["user_row"].to_numpy()
    pair = user * len(dataset.item_types) + dataset.item_type[rows["item_row"].to_numpy()]
    test = np.sort(strong[np.unique(pair[strong], return_index=True)[1]])
    train, valid = lend_last(dataset, rows.filter(pl.Series(~late)), seed)
    cases = make_cases(
        dataset, test, case_rows(user, test), Visible.these(rows, ~late), "test", train
    )
    return Split(train, valid, cases, f"time: the last {held_out_days:g} days")


def time_last(dataset: Dataset, held_out_days: float, *, seed: int = 0) -> Split:
    """Learn from what lies before one cut for everybody, and ask with what came after it too.

    The cut is that of `time_cut`. A case is a person's last strong interaction from the cut on; the
    history is what they did before it, on either side of the cut, as a server would know it. People
    without any history are not asked.

    Raises:
        SplitError: no interaction has a time, or nothing is left before or after the cut.

    Source: the global temporal split with the last item of each sequence as target, of Gusak et
        al., RecSys 2025, arXiv 2507.16289.
    """
    rows, late = _cut(dataset, held_out_days)
    strong = _late_strong(rows, late, held_out_days)
    user = rows["user_row"].to_numpy()
    test = strong[rank_from_last(user[strong])[0] == 0]
    train, valid = lend_last(dataset, rows.filter(pl.Series(~late)), seed)
    cases = make_cases(dataset, test, before(user, test), Visible.whole(rows), "test", train)
    answerable = np.flatnonzero(np.diff(cases.history_indptr) > 0)
    if not len(answerable):
        raise SplitError(f"{_told(held_out_days)}: nobody did anything before the last one")
    rule = f"time-last: the last {held_out_days:g} days"
    return Split(train, valid, cases.take(answerable), rule)


def _cut(dataset: Dataset, held_out_days: float) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
    """Sort the rows that have a time, and mark those of the held-out end."""
    newest = dataset.interactions["timestamp"].max()
    if not isinstance(newest, int):
        raise SplitError("time cut: no interaction has a timestamp")
    cut = newest - int(held_out_days * DAY_S) + 1
    rows = dataset.interactions.filter(pl.col("timestamp").is_not_null()).sort(
        "user_row", "timestamp", "order"
    )
    late = (rows["timestamp"] >= cut).to_numpy()
    if late.all():
        raise SplitError(f"time cut: no interaction before {_told(held_out_days)}")
    return rows, late


def _late_strong(
    rows: pl.DataFrame, late: NDArray[np.bool_], held_out_days: float
) -> NDArray[np.int64]:
    strong = strong_positions(rows)
    strong = strong[late[strong]]
    if not len(strong):
        raise SplitError(f"time cut: no strong interaction in {_told(held_out_days)}")
    return strong


def _told(held_out_days: float) -> str:
    return f"the last {held_out_days:g} days (hold_out.days of {CONFIG_FILE})"


def dataset_split(dataset: Dataset, *, seed: int = 0) -> Split:
    """Follow the data set's own `split`: nothing but its train rows is learned from.

    A person without any train row is unseen: the last strong row is the target, the earlier
    rows are the history. Each item that other people chose in a held-out part is a target, once
    however often they did, with all of that person's train rows as history. What somebody has in
    `valid` is seen when their `test…` rows are asked, and heard too if it all comes before these.
    The slice of a case is the `split` of its target.

    Cases for early stopping are those of `valid`. Where the data set has no `test…`, the
    cases of `valid` are the ones to report, and a tenth of the train people lend their last
    strong interaction to early stopping; so too where it has no `valid`.

    Raises:
        SplitError: nothing is held out, or nothing is left to learn from.
    """
    rows = dataset.interactions
    user = rows["user_row"].to_numpy()
    in_train = (rows["split"] == "train").to_numpy()
    if not in_train.any():
        raise SplitError("split: no row says train, so there is nothing to learn from")
    known = np.zeros(len(dataset.users), dtype=np.bool_)
    known[user[in_train]] = True
    strong = strong_positions(rows)
    held = _first_of_each(rows, strong[~in_train[strong] & known[user[strong]]])
    alone = strong[~known[user[strong]]]
    last = alone[rank_from_last(user[alone])[0] == 0]
    train = rows.filter(pl.Series(in_train))
    has_test = bool(rows["split"].str.starts_with("test").any())
    has_valid = bool((rows["split"] == "valid").any())

    def cases(prefix: str, learned: pl.DataFrame) -> Cases:
        named = rows["split"].str.starts_with(prefix).to_numpy()
        one, other = last[named[last]], held[named[held]]
        unseen = make_cases(dataset, one, before(user, one), Visible.whole(rows), None, learned)
        shown = Visible.these(rows, in_train)
        if prefix != "valid":
            shown = _with_valid(rows, in_train)
        seen = make_cases(dataset, other, case_rows(user, other), shown, None, learned)
        return unseen.joined(seen)

    if has_test and has_valid:
        return Split(train, cases("valid", train), cases("test", train), "the data set's own")
    train, lent = lend_last(dataset, train, seed)
    test = cases("test" if has_test else "valid", train)
    if not len(test):
        raise SplitError("split: no strong row is held out, so there is nothing to predict")
    return Split(train, lent, test, "the data set's own")


def _first_of_each(rows: pl.DataFrame, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the first row of each item that a person has in a part of the split.

    Shapes:
        positions, returns: (n,), ascending.
    """
    own = rows[positions].select(pl.struct("user_row", "item_row", "split").is_first_distinct())
    first: NDArray[np.int64] = positions[own.to_series().to_numpy()]
    return first


def _with_valid(rows: pl.DataFrame, in_train: NDArray[np.bool_]) -> Visible:
    """Let the `valid` rows be seen beside what is learned from, and heard where they are older.

    Shapes:
        in_train: (E,).
    """
    user, valid = rows["user_row"].to_numpy(), (rows["split"] == "valid").to_numpy()
    asked = np.flatnonzero(~in_train & ~valid)
    first = np.full(int(user.max()) + 1, len(rows))
    np.minimum.at(first, user[asked], asked)
    later = np.zeros(len(first), dtype=np.bool_)
    places = np.flatnonzero(valid)
    later[user[places[places > first[user[places]]]]] = True
    return Visible(rows, in_train | (valid & ~later[user]), in_train | valid)


def _first_of(user: NDArray[np.int64], *targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep each person's first target among several lists of positions."""
    together = np.sort(np.concatenate(targets))
    return together[np.unique(user[together], return_index=True)[1]]
