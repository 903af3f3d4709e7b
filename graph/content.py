"""Content relations: items that share a value, such as their creator, are neighbours."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.content import content_key
from graph.lists import Lists


def content_lists(values: pl.Series, people: NDArray[np.int64], cap: int) -> Lists:
    """Join the items of equal value (see `content_key`), whatever their type.

    A list keeps the `cap` most popular of the others (ties by row), so that an item nobody
    knows yet meets those its creator is known for. An edge weighs the neighbour's share of
    the people behind the others of the group, each item counted as one person richer than
    it is, so that groups nobody knows share evenly.

    Items without a value have no neighbour here.

    Shapes:
        values: (N,), text, "" or null for none. people: (N,).
    """
    grouped = (
        pl.DataFrame({"key": content_key(values), "people": people})
        .with_row_index("row")
        .filter(pl.col("key") != "")
        .with_columns(pl.col("row").cast(pl.Int64), pl.col("people") + 1)
        .sort("key", "people", "row", descending=[False, True, False])
        .with_columns(
            pl.int_range(pl.len()).over("key").alias("rank"),
            pl.col("people").sum().over("key").alias("all"),
        )
    )
    best = grouped.filter(pl.col("rank") <= cap).select("key", "rank", "row", "people")
    edges = (
        grouped.join(best, on="key", suffix="_other")
        .filter(pl.col("row") != pl.col("row_other"))
        .filter(
            # without itself, a member of the best has one place more to give
            pl.col("rank_other") < pl.when(pl.col("rank") < cap).then(cap + 1).otherwise(cap)
        )
    )
    weight = edges["people_other"] / (edges["all"] - edges["people"])
    return Lists.of(
        edges["row"].to_numpy(),
        edges["row_other"].to_numpy(),
        weight.to_numpy(),
        np.zeros(len(edges), dtype=np.int64),
        len(values),
    )
