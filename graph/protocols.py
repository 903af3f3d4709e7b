"""Ways to hold out that draw: interactions, people or items at random, by a seed."""

import dataclasses

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.cases import Visible, before, case_rows, make_cases
from graph.errors import SplitError
from graph.lending import Split, draw, lend_last, rank_from_last, strong_positions
from tables.dataset import Dataset
from tables.order import hash_ids, tie_hash, without_order

HELD_SHARE = 0.1
"""Share of each person's interactions, of the people or of the items that is reported."""
_SALT = {"people": 101, "items": 102, "rows": 103}
"""Keeps one protocol's draws apart from another's, and from those of early stopping."""


def random_rows(dataset: Dataset, *, seed: int = 0) -> Split:
    """Hold out a tenth of each person's strong interactions, and another for early stopping.

    Tenths are rounded down, so people with fewer than ten items are learned from alone. Which
    items are held out is a seeded hash of person and item. Time plays no part: a case's history
    is everything of the person that is learned from, what came later too, and nothing has an order,
    in learning neither; for what is asked lies anywhere between what is known, and to hear the
    newest most, or to learn what comes next, would answer another question. Somebody with several
    held-out items has a case for each, and the lists of one type are judged together. What is held
    out for early stopping is no candidate of the reported cases, without being heard in them. Other
    rows of a held-out pair of person and item are not learned from.

    Raises:
        SplitError: nobody has ten items, or nothing is left to learn from.

    Source: the ratios 8:1:1 by person and their rounding are RecBole's (Zhao et al., CIKM 2021,
        doi:10.1145/3459637.3482016).
    """
    users, items = dataset.users["user_id"], dataset.items["item_id"]
    rows = without_order(dataset.interactions, users, items, seed=seed)
    dataset = dataclasses.replace(dataset, interactions=rows)
    strong = strong_positions(rows)
    user = rows["user_row"].to_numpy()
    pair = user * len(dataset.items) + rows["item_row"].to_numpy()
    pairs, first = np.unique(pair[strong], return_index=True)
    first = strong[first]
    place, tenth = _places(dataset, first, seed)
    test = np.sort(first[place < tenth])
    valid = np.sort(first[(place >= tenth) & (place < 2 * tenth)])
    learned = ~np.isin(pair, pairs[place < 2 * tenth])
    train = rows.filter(pl.Series(learned))
    _check("random", len(test), len(train), "; only people with ten items or more lend one")
    seen = learned.copy()
    seen[valid] = True
    return Split(
        train,
        make_cases(
            dataset, valid, case_rows(user, valid), Visible.these(rows, learned), "valid", train
        ),
        make_cases(
            dataset, test, case_rows(user, test), Visible(rows, learned, seen), "test", train
        ),
        "random: a tenth of each person's interactions",
    )


def _places(
    dataset: Dataset, positions: NDArray[np.int64], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Shuffle each person's interactions, and count a tenth of them, rounded down.

    Shapes:
        positions: (n,), of interactions, sorted by person. returns: (n,), the place of each in its
            person's new order, from 0, and (n,), the person's tenth.
    """
    rows = dataset.interactions[positions]
    user, item = rows["user_row"].to_numpy(), rows["item_row"].to_numpy()
    users, items = hash_ids(dataset.users["user_id"]), hash_ids(dataset.items["item_id"])
    order = np.lexsort((tie_hash(users[user], items[item], seed + _SALT["rows"]), user))
    _, start, group, count = np.unique(
        user, return_index=True, return_inverse=True, return_counts=True
    )
    place = np.empty(len(user), dtype=np.int64)
    place[order] = np.arange(len(user)) - start[group]
    return place, (HELD_SHARE * count).astype(np.int64)[group]


def unseen_people(dataset: Dataset, *, seed: int = 0) -> Split:
    """Hold out a tenth of the people whole: their last strong interaction is the target.

    The history is what they did before it. For early stopping a tenth of the others lend their
    last strong interaction.

    Raises:
        SplitError: nobody is drawn who has two strong interactions, or nobody is left.
    """
    rows = dataset.interactions
    user = rows["user_row"].to_numpy()
    held = draw(dataset.users["user_id"], seed + _SALT["people"]) < HELD_SHARE
    strong = strong_positions(rows)
    strong = strong[held[user[strong]]]
    rank, count = rank_from_last(user[strong])
    test = strong[(rank == 0) & (count >= 2)]
    train = rows.filter(pl.Series(~held[user]))
    _check("unseen-people", len(test), len(train))
    train, valid = lend_last(dataset, train, seed)
    cases = make_cases(dataset, test, before(user, test), Visible.whole(rows), "test", train)
    return Split(train, valid, cases, "a tenth of the people, unseen in training")


def unseen_items(dataset: Dataset, *, seed: int = 0) -> Split:
    """Hold out a tenth of the items whole: nothing of anybody is learned about them.

    A case is a person's last strong interaction with such an item; the history is what the
    person did before with all the others. What they chose before of the held-out items is no
    candidate, without being heard. For early stopping a tenth of the people lend their last strong
    interaction with one of the others.

    Raises:
        SplitError: no item is drawn that anybody chose after another, or nothing is left.
    """
    rows = dataset.interactions
    user, item = rows["user_row"].to_numpy(), rows["item_row"].to_numpy()
    held = draw(dataset.items["item_id"], seed + _SALT["items"]) < HELD_SHARE
    strong = strong_positions(rows)
    strong = strong[held[item[strong]]]
    test = strong[rank_from_last(user[strong])[0] == 0]
    train = rows.filter(pl.Series(~held[item]))
    _check("unseen-items", len(test), len(train))
    train, valid = lend_last(dataset, train, seed)
    visible = Visible(rows, ~held[item], np.ones(len(rows), dtype=np.bool_))
    cases = make_cases(dataset, test, before(user, test), visible, "test", train)
    answerable = np.flatnonzero(np.diff(cases.history_indptr) > 0)
    _check("unseen-items", len(answerable), len(train))
    return Split(train, valid, cases.take(answerable), "a tenth of the items, unseen in training")


def _check(rule: str, asked: int, learned: int, hint: str = "") -> None:
    if not asked:
        raise SplitError(f"{rule}: nothing was drawn that could be asked{hint}")
    if not learned:
        raise SplitError(f"{rule}: nothing is left to learn from")
