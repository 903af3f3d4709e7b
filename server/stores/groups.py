"""Rows by a value that they share, such as a genre, in three flat columns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation.texts import TextColumn
from features.content import content_key
from server.stores.distinct import distinct


@dataclass(frozen=True, eq=False)
class Groups:
    """Rows by value; spellings that `content_key` folds together are one value.

    Shapes:
        keys: (V,), ascending. starts: (V + 1,). rows: (n,) int32, ascending inside a group.
    """

    keys: pl.Series
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]

    @classmethod
    def of(cls, column: TextColumn, separator: str | None = None) -> "Groups":
        """Group rows by their text, or by each part of it between separators.

        An empty value makes no group. What takes long is done for the distinct texts alone.
        """
        found = distinct(column)
        texts = pl.Series("text", found.texts, dtype=pl.String)
        parts = texts.str.split(separator) if separator else texts
        pairs = pl.DataFrame({"text": np.arange(len(texts)), "key": parts})
        pairs = pairs.explode("key") if separator else pairs
        pairs = (
            pairs.with_columns(content_key(pairs["key"]).alias("key"))
            .filter(pl.col("key") != "")
            .unique(["text", "key"])
            .sort("text", "key")
        )
        keys = pairs["key"].unique().sort()
        return _collected(found.number, pairs["text"].to_numpy(), keys, pairs["key"])

    @property
    def nbytes(self) -> int:
        """Memory that the groups take, in bytes."""
        return self.rows.nbytes + self.starts.nbytes + int(self.keys.estimated_size())

    def members(self, values: Sequence[str]) -> list[NDArray[np.int32]]:
        """Return for each value the rows that have it, ascending; none where nothing has it."""
        asked = content_key(pl.Series(values, dtype=pl.String))
        places = self.keys.search_sorted(asked).to_numpy()
        found = []
        for key, place in zip(asked.to_list(), places.tolist(), strict=True):
            there = place < len(self.keys) and self.keys[place] == key
            found.append(self.rows[self.starts[place] : self.starts[place + there]])
        return found


def _collected(
    number: NDArray[np.int64], text: NDArray[np.int64], keys: pl.Series, key: pl.Series
) -> Groups:
    """Collect the rows of each value.

    Shapes:
        number: (N,), which text a row has. text, key: (P,), the values of each text, by text.
        keys: (V,), ascending.
    """
    value = keys.search_sorted(key).to_numpy().astype(np.int64)  # (P,)
    most = int(number.max(initial=-1)) + 1
    values_of = np.bincount(text, minlength=most)  # of each text
    firsts = np.cumsum(values_of) - values_of
    times = values_of[number]  # (N,), values of each row
    row = np.repeat(np.arange(len(number), dtype=np.int32), times)  # (n,)
    before = np.repeat(np.cumsum(times) - times, times)
    of_row = value[np.repeat(firsts[number], times) + np.arange(len(row)) - before]  # (n,)
    narrow = of_row.astype(np.uint16) if len(keys) < 2**16 else of_row  # sorted far sooner
    order = np.argsort(narrow, kind="stable")
    starts = np.concatenate(([0], np.cumsum(np.bincount(of_row, minlength=len(keys)))))
    return Groups(keys, starts.astype(np.int64), row[order])
