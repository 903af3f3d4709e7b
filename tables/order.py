"""The order of a person's interactions, with ties broken by a seeded hash."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import polars as pl
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def hash_ids(ids: Iterable[str]) -> NDArray[np.uint64]:
    """Hash each id to 64 bits, the same in every process and on every machine.

    Shapes:
        returns: (N,), uint64.
    """
    joined = b"".join(blake2b(one.encode(), digest_size=8).digest() for one in ids)
    return np.frombuffer(joined, dtype="<u8").astype(np.uint64)


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit values so that neighbours land far apart.

    Source: the finalizer of SplitMix64, Steele et al., OOPSLA 2014, doi:10.1145/2660193.2660195.
    """
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def tie_hash(
    user_hash: NDArray[np.uint64], item_hash: NDArray[np.uint64], seed: int
) -> NDArray[np.uint64]:
    """Hash each pair of a person and an item under a seed.

    Shapes:
        user_hash, item_hash, returns: (E,), uint64.
    """
    return mix(mix(item_hash + np.uint64(seed % 2**64)) ^ user_hash)


def in_order(
    interactions: pl.DataFrame, user_ids: pl.Series, item_ids: pl.Series, *, seed: int
) -> pl.DataFrame:
    """Sort interactions by person and, inside a person, from oldest to newest.

    A person's rows follow their time where every row has one, else their `seq` where every
    row has one, else whichever of the two more rows have; rows without it come first, as
    oldest. Rows of one person that share the key (a second, a day) keep nothing of the
    file's order: a seeded hash of person and item decides, and `tied` says so.

    Adds `order` (rank inside the person, int64), `moment` (int64, the same for rows of a person
    that have no order between them, growing with time) and `tied`. Needs `user_row`, `item_row`,
    `timestamp`, `seq`, `signal`, `weight` and `split`. The answer does not depend on the
    order of the rows that come in.
    """
    users, items = hash_ids(user_ids), hash_ids(item_ids)
    user_row = interactions["user_row"].to_numpy()
    item_row = interactions["item_row"].to_numpy()
    tie = pl.Series("tie", tie_hash(users[user_row], items[item_row], seed), dtype=pl.UInt64)
    timed = pl.col("timestamp").count().over("user_row")
    sequenced = pl.col("seq").count().over("user_row")
    rows = pl.len().over("user_row")
    by_time = (timed == rows) | ((sequenced < rows) & (timed >= sequenced))
    key = pl.when(by_time).then(pl.col("timestamp")).otherwise(pl.col("seq"))
    by = ["user_row", "key", "tie", "item_row", "signal", "weight", "timestamp", "seq", "split"]
    return (
        interactions.with_columns(tie, key.alias("key"))
        .with_columns((pl.len().over("user_row", "key") > 1).alias("tied"))
        .sort(by, nulls_last=False)
        .with_columns(
            pl.int_range(pl.len(), dtype=pl.Int64).over("user_row").alias("order"),
            pl.col("key")
            .rank("dense")
            .over("user_row")
            .cast(pl.Int64)
            .fill_null(0)
            .alias("moment"),
        )
        .drop("tie", "key")
    )


def without_order(
    interactions: pl.DataFrame, user_ids: pl.Series, item_ids: pl.Series, *, seed: int
) -> pl.DataFrame:
    """Forget when everything was, so that a seeded hash orders each person's rows.

    Takes and gives what `in_order` does; times and places in a sequence are null.
    """
    forgotten = interactions.drop("order", "moment", "tied", strict=False).with_columns(
        pl.lit(None, dtype=interactions.schema[name]).alias(name) for name in ("timestamp", "seq")
    )
    return in_order(forgotten, user_ids, item_ids, seed=seed)
