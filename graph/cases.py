"""Evaluation cases: a person, what they did before, and what they chose next."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.dataset import Dataset


@dataclass(frozen=True)
class Cases:
    """C questions: which item of the target's type did this person choose next?

    Shapes:
        user_row, target, slice_name, tied, warm, unseen_person, unseen_item, repeated: (C,).
        history_indptr: (C + 1,), history_rows, history_weight: (H,), oldest first.
    """

    user_row: NDArray[np.int64]
    target: NDArray[np.int64]
    """Item row of the right answer."""
    history_indptr: NDArray[np.int64]
    history_rows: NDArray[np.int64]
    """Items of strong and weak signals, nothing later than the target among them."""
    history_weight: NDArray[np.float32]
    slice_name: NDArray[np.str_]
    """Name of the part a case belongs to: `valid`, `test`, or the data set's own."""
    tied: NDArray[np.bool_]
    """Another row of the person shares the target's moment, so a hash chose between them."""
    warm: NDArray[np.bool_]
    """The history holds an item of the target's type."""
    unseen_person: NDArray[np.bool_]
    """The person has no row in train."""
    unseen_item: NDArray[np.bool_]
    """The target has no strong row in train."""
    repeated: NDArray[np.bool_]
    """The target stands in the history: excluding the history makes the case unanswerable."""
    history_strong: NDArray[np.bool_]
    """(H,), which entries of the histories are strong signals."""

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.target)

    def history(self, case: int) -> NDArray[np.int64]:
        """Give one case's history, oldest first. Shapes: returns (L,)."""
        return self.history_rows[self.history_indptr[case] : self.history_indptr[case + 1]]

    def take(self, chosen: NDArray[np.int64]) -> Self:
        """Keep some cases, in the order given. Shapes: chosen (n,), positions of cases."""
        starts, ends = self.history_indptr[:-1][chosen], self.history_indptr[1:][chosen]
        indptr, flat = ranges(starts, ends)
        return type(self)(
            self.user_row[chosen],
            self.target[chosen],
            indptr,
            self.history_rows[flat],
            self.history_weight[flat],
            self.slice_name[chosen],
            self.tied[chosen],
            self.warm[chosen],
            self.unseen_person[chosen],
            self.unseen_item[chosen],
            self.repeated[chosen],
            self.history_strong[flat],
        )

    def runs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find neighbouring cases of one person with one and the same history.

        Shapes:
            returns: (R,), the first case of each run, and (C,), the run that each case is in.
        """
        begins = np.ones(len(self), dtype=np.bool_)
        indptr, rows, weight = self.history_indptr, self.history_rows, self.history_weight
        lengths = np.diff(indptr)
        alike = (np.diff(self.user_row) == 0) & (np.diff(lengths) == 0)
        for case in np.flatnonzero(alike) + 1:
            before = slice(indptr[case - 1], indptr[case])
            own = slice(indptr[case], indptr[case + 1])
            begins[case] = not (
                np.array_equal(rows[before], rows[own])
                and np.array_equal(weight[before], weight[own])
            )
        return np.flatnonzero(begins), np.cumsum(begins) - 1

    def without_weak(self) -> Self:
        """Copy the cases with histories that hold strong signals alone.

        What a case asks stays as it is, and so do its flags, which tell of the whole history.
        """
        return self.with_history(self.history_strong)

    def with_history(self, kept: NDArray[np.bool_]) -> Self:
        """Copy the cases with some entries of their histories. Shapes: kept (H,)."""
        case = np.repeat(np.arange(len(self)), np.diff(self.history_indptr))
        lengths = np.bincount(case[kept], minlength=len(self))
        return replace(
            self,
            history_indptr=np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            history_rows=self.history_rows[kept],
            history_weight=self.history_weight[kept],
            history_strong=self.history_strong[kept],
        )

    def joined(self, other: Self) -> Self:
        """Put two lists of cases one after the other, sorted by person (stable)."""
        both = type(self)(
            np.concatenate([self.user_row, other.user_row]),
            np.concatenate([self.target, other.target]),
            np.concatenate(
                [self.history_indptr, other.history_indptr[1:] + len(self.history_rows)]
            ),
            np.concatenate([self.history_rows, other.history_rows]),
            np.concatenate([self.history_weight, other.history_weight]),
            np.concatenate([self.slice_name, other.slice_name]),
            np.concatenate([self.tied, other.tied]),
            np.concatenate([self.warm, other.warm]),
            np.concatenate([self.unseen_person, other.unseen_person]),
            np.concatenate([self.unseen_item, other.unseen_item]),
            np.concatenate([self.repeated, other.repeated]),
            np.concatenate([self.history_strong, other.history_strong]),
        )
        return both.take(np.argsort(both.user_row, kind="stable"))


@dataclass(frozen=True)
class Visible:
    """Interactions sorted by person and time, and which of them a history may hold."""

    rows: pl.DataFrame
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Span:
    """For each case the stretch of interaction positions its history is taken from."""

    start: NDArray[np.int64]
    end: NDArray[np.int64]


def before(user: NDArray[np.int64], targets: NDArray[np.int64]) -> Span:
    """Span each target's person up to, and without, the target."""
    return Span(np.searchsorted(user, user[targets], side="left"), targets)


def case_rows(user: NDArray[np.int64], targets: NDArray[np.int64]) -> Span:
    """Span everything each target's person has."""
    own = user[targets]
    return Span(np.searchsorted(user, own, side="left"), np.searchsorted(user, own, side="right"))


def after(user: NDArray[np.int64], first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark every position from each person's `first` position on, that one included.

    Shapes:
        user: (E,), sorted. first: (n,), at most one position per person. returns: (E,).
    """
    _, flat = ranges(first, np.searchsorted(user, user[first], side="right"))
    marked = np.zeros(len(user), dtype=np.bool_)
    marked[flat] = True
    return marked


def ranges(
    starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay the integers of many half-open ranges end to end.

    Shapes:
        starts, ends: (C,). returns: indptr (C + 1,) and the integers (sum of the lengths,).
    """
    lengths = ends - starts
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)])
    return indptr, np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)


def make_cases(
    dataset: Dataset,
    targets: NDArray[np.int64],
    span: Span,
    visible: Visible,
    name: str | None,
    train: pl.DataFrame,
) -> Cases:
    """Build the cases whose targets stand at the given positions of `visible.rows`.

    `name` is the slice of all of them, None to take each target's `split`.
    """
    rows = visible.rows
    shown = np.flatnonzero(visible.mask)
    indptr, flat = ranges(np.searchsorted(shown, span.start), np.searchsorted(shown, span.end))
    item = rows["item_row"].to_numpy()
    history = item[shown[flat]]
    case = np.repeat(np.arange(len(targets)), np.diff(indptr))
    of_type = dataset.item_type
    target = item[targets]
    same_type = of_type[history] == of_type[target][case]
    same_item = history == target[case]
    own = rows["split"].to_numpy()[targets] if name is None else np.full(len(targets), name)
    user = rows["user_row"].to_numpy()[targets]
    people = np.zeros(len(dataset.users), dtype=np.bool_)
    people[train["user_row"].to_numpy()] = True
    learned = np.zeros(len(dataset.items), dtype=np.bool_)
    learned[train.filter(pl.col("role") == "strong")["item_row"].to_numpy()] = True
    return Cases(
        user,
        target,
        indptr,
        history,
        rows["weight"].to_numpy()[shown[flat]],
        own.astype(np.str_),
        rows["tied"].to_numpy()[targets],
        np.bincount(case[same_type], minlength=len(targets)) > 0,
        ~people[user],
        ~learned[target],
        np.bincount(case[same_item], minlength=len(targets)) > 0,
        (rows["role"] == "strong").to_numpy()[shown[flat]],
    )
