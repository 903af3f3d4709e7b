"""People's sequences and the histories that the user tower reads from them."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.cases import Cases


@dataclass(frozen=True)
class HistoryBatch:
    """Histories newest first, padded at the end.

    Shapes:
        rows: (B, L) int64, item rows, 0 in the padding.
        weight: (B, L) float32, 0 in the padding.
    """

    rows: Tensor
    weight: Tensor


@dataclass(frozen=True)
class Sequences:
    """Everybody's items, oldest first, one person behind the other.

    Shapes:
        indptr: (U + 1,) int64; rows: (E,) int64; weight: (E,) float32.
        strong: (E,) bool, which of them may be a target.
        moment: (E,) int64, ascending, the same for neighbouring rows without an order.
    """

    indptr: NDArray[np.int64]
    rows: NDArray[np.int64]
    weight: NDArray[np.float32]
    strong: NDArray[np.bool_]
    moment: NDArray[np.int64]

    @classmethod
    def from_interactions(cls, interactions: pl.DataFrame, users: int) -> "Sequences":
        """Take the strong and weak rows of a table sorted by person and order."""
        kept = interactions.filter(pl.col("role") != "negative")
        user, moment = kept["user_row"].to_numpy(), kept["moment"].to_numpy()
        counts = np.bincount(user, minlength=users)
        # Rows sorted by time alone may have moments that come from `seq` and do not ascend.
        begins = np.ones(len(kept), dtype=np.bool_)
        begins[1:] = (np.diff(user) != 0) | (np.diff(moment) != 0)
        return cls(
            np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
            kept["item_row"].to_numpy().astype(np.int64),
            kept["weight"].to_numpy().astype(np.float32),
            (kept["role"] == "strong").to_numpy(),
            np.cumsum(begins),
        )

    def redrawn(self, rng: np.random.Generator) -> "Sequences":
        """Draw an order anew for what has none: rows of one person and moment change places.

        A network that sees one order in every epoch may take it for one that tells something.
        """
        order = np.lexsort((rng.random(len(self.rows)), self.moment, self.user))
        return replace(
            self, rows=self.rows[order], weight=self.weight[order], strong=self.strong[order]
        )

    @property
    def user(self) -> NDArray[np.int64]:
        """The person of each item. Shapes: returns (E,)."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def before(self, places: NDArray[np.int64], length: int) -> HistoryBatch:
        """Give what came before each place (B,) of its own person, at most `length` items."""
        start = self.indptr[np.searchsorted(self.indptr, places, side="right") - 1]
        return newest_first(self.rows, self.weight, start, places, length)


def case_histories(cases: Cases, part: slice, length: int) -> HistoryBatch:
    """Give the histories of some evaluation cases, at most `length` newest items each."""
    indptr = cases.history_indptr
    return newest_first(
        cases.history_rows,
        cases.history_weight,
        indptr[:-1][part],
        indptr[1:][part],
        length,
    )


def newest_first(
    rows: NDArray[np.int64],
    weight: NDArray[np.float32],
    start: NDArray[np.int64],
    end: NDArray[np.int64],
    length: int,
) -> HistoryBatch:
    """Cut [start, end) into the newest `length` items, newest first."""
    length = min(length, int((end - start).max(initial=0)))
    at = end[:, None] - 1 - np.arange(length)  # (B, L)
    present = at >= start[:, None]
    at = np.where(present, at, 0)
    if not len(rows):
        return HistoryBatch(torch.zeros(at.shape, dtype=torch.int64), torch.zeros(at.shape))
    return HistoryBatch(
        torch.from_numpy(np.where(present, rows[at], 0)),
        torch.from_numpy(np.where(present, weight[at], 0.0).astype(np.float32)),
    )
