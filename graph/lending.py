"""What every way to hold out is made of: the split itself, and what early stopping is lent."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.cases import Cases, Visible, after, before, make_cases
from tables.dataset import Dataset
from tables.order import hash_ids, mix

VALID_SHARE = 0.1
"""Share of people who lend their last interaction to early stopping, where no rule says whom."""


@dataclass(frozen=True)
class Split:
    """A data set cut into what is learned from and what is asked."""

    train: pl.DataFrame
    """Interactions to learn from, with the columns and the order of the data set's."""
    valid: Cases
    """Cases for early stopping."""
    test: Cases
    """Cases to report."""
    rule: str
    """The rule that made the cut, in words."""


def lend_last(dataset: Dataset, train: pl.DataFrame, seed: int) -> tuple[pl.DataFrame, Cases]:
    """Move the last strong row of a seeded tenth of the people from train to early stopping."""
    user = train["user_row"].to_numpy()
    strong = strong_positions(train)
    rank, count = rank_from_last(user[strong])
    last = strong[(rank == 0) & (count >= 2)]
    drawn = draw(dataset.users["user_id"], seed)
    lends = drawn[user[last]] < VALID_SHARE
    if len(last) and not lends.any():  # a handful of people: the smallest draw lends
        lends[np.argmin(drawn[user[last]])] = True
    last = last[lends]
    kept = train.filter(pl.Series(~after(user, last)))
    return kept, make_cases(dataset, last, before(user, last), Visible.whole(train), "valid", kept)


def draw(ids: pl.Series, seed: int) -> NDArray[np.float64]:
    """Draw a number from [0, 1) for each id, the same whatever else is in the data set.

    Shapes:
        returns: (N,).
    """
    hashed = mix(hash_ids(ids) ^ mix(np.array([seed], dtype=np.uint64)))
    return hashed.astype(np.float64) / 2.0**64


def strong_positions(rows: pl.DataFrame) -> NDArray[np.int64]:
    """Give the positions of the strong rows. Shapes: returns (n,), ascending."""
    return np.flatnonzero((rows["role"] == "strong").to_numpy())


def rank_from_last(user: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give each row of sorted people its rank from their last (0), and their rows' count."""
    _, start, inverse, count = np.unique(
        user, return_index=True, return_inverse=True, return_counts=True
    )
    end = (start + count)[inverse]
    return end - 1 - np.arange(len(user)), count[inverse]
