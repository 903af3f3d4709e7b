"""Evaluation cases: a person, what they did before, and what they chose next."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tables.dataset import Dataset


@dataclass(frozen=True)
class Cases:
    """C questions: which item of the target's type did this person choose next?

    Not all that is heard in a history is barred from the answer: an item counts as seen once it
    was chosen or turned away. What was only followed, previewed or saved stays a candidate, and
    what was turned away is seen without being heard.

    Shapes:
        user_row, target, slice_name, tied, warm, unseen_person, unseen_item, repeated: (C,).
        history_indptr: (C + 1,), history_rows, history_weight: (H,), oldest first.
        barred_indptr: (C + 1,), barred_rows: (B,), oldest first, an item as often as it was met.
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
    """The target has no strong or weak row in train."""
    repeated: NDArray[np.bool_]
    """The target is itself barred, which makes the case unanswerable."""
    history_strong: NDArray[np.bool_]
    """(H,), which entries of the histories are strong signals."""
    barred_indptr: NDArray[np.int64]
    barred_rows: NDArray[np.int64]
    """Items of strong and negative signals, of the same stretch as the history."""

    def __len__(self) -> int:
        """Count the cases."""
        return len(self.target)

    def history(self, case: int) -> NDArray[np.int64]:
        """Give one case's history, oldest first. Shapes: returns (L,)."""
        return self.history_rows[self.history_indptr[case] : self.history_indptr[case + 1]]

    def barred(self, case: int) -> NDArray[np.int64]:
        """Give the items that are no candidates of one case. Shapes: returns (n,)."""
        return self.barred_rows[self.barred_indptr[case] : self.barred_indptr[case + 1]]

    def barred_places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Give the places of what is barred in a table of cases and items.

        Shapes:
            returns: (B,), the case of each entry, and (B,), its item.
        """
        return np.repeat(np.arange(len(self)), np.diff(self.barred_indptr)), self.barred_rows

    def take(self, chosen: NDArray[np.int64]) -> Self:
        """Keep some cases, in the order given. Shapes: chosen (n,), positions of cases."""
        indptr, flat = ranges(self.history_indptr[:-1][chosen], self.history_indptr[1:][chosen])
        barred, flat_barred = ranges(
            self.barred_indptr[:-1][chosen], self.barred_indptr[1:][chosen]
        )
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
            barred,
            self.barred_rows[flat_barred],
        )

    def runs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find neighbouring cases of one person with the same history and the same barred items.

        Shapes:
            returns: (R,), the first case of each run, and (C,), the run that each case is in.
        """
        begins = np.ones(len(self), dtype=np.bool_)
        lists = (
            (self.history_indptr, self.history_rows),
            (self.history_indptr, self.history_weight),
            (self.barred_indptr, self.barred_rows),
        )
        alike = np.diff(self.user_row) == 0
        for indptr, _ in lists:
            alike &= np.diff(np.diff(indptr)) == 0
        for case in np.flatnonzero(alike) + 1:
            begins[case] = not all(
                np.array_equal(
                    values[indptr[case - 1] : indptr[case]], values[indptr[case] : indptr[case + 1]]
                )
                for indptr, values in lists
            )
        return np.flatnonzero(begins), np.cumsum(begins) - 1

    def without_weak(self) -> Self:
        """Copy the cases with histories that hold strong signals alone.

        What a case asks and what is barred stay as they are, and so do the flags, which tell of
        the whole history.
        """
        return self.with_history(self.history_strong)

    def with_history(self, kept: NDArray[np.bool_]) -> Self:
        """Copy the cases with some entries of their histories. Shapes: kept (H,)."""
        return replace(
            self,
            history_indptr=_shortened(self.history_indptr, kept),
            history_rows=self.history_rows[kept],
            history_weight=self.history_weight[kept],
            history_strong=self.history_strong[kept],
        )

    def of_items(self, first: int, end: int) -> Self:
        """Copy the cases of a catalogue that is left with the items [first, end), renumbered.

        The targets have to be among them.
        """
        kept = self.with_history((self.history_rows >= first) & (self.history_rows < end))
        barred = (self.barred_rows >= first) & (self.barred_rows < end)
        return replace(
            kept,
            target=kept.target - first,
            history_rows=kept.history_rows - first,
            barred_indptr=_shortened(self.barred_indptr, barred),
            barred_rows=self.barred_rows[barred] - first,
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
            np.concatenate([self.barred_indptr, other.barred_indptr[1:] + len(self.barred_rows)]),
            np.concatenate([self.barred_rows, other.barred_rows]),
        )
        return both.take(np.argsort(both.user_row, kind="stable"))


@dataclass(frozen=True)
class Visible:
    """Interactions sorted by person and time, and what of them may be known when a case is asked.

    Strong and weak ones of those heard make the history, strong and negative ones of those seen bar
    their items.

    Shapes:
        heard, seen: (E,).
    """

    rows: pl.DataFrame
    heard: NDArray[np.bool_]
    seen: NDArray[np.bool_]

    @classmethod
    def whole(cls, rows: pl.DataFrame) -> Self:
        """Let all of them be known."""
        return cls.these(rows, np.ones(len(rows), dtype=np.bool_))

    @classmethod
    def these(cls, rows: pl.DataFrame, known: NDArray[np.bool_]) -> Self:
        """Let some of them be heard and seen. Shapes: known (E,)."""
        return cls(rows, known, known)

    def history(self, span: "Span") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find what is heard of each case's stretch.

        Shapes:
            returns: indptr (C + 1,) and the positions in `rows`, one case behind the other.
        """
        return self._positions(span, self.heard & self._not("negative"))

    def barred(self, span: "Span") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find what bars its item of each case's stretch. Shapes: as of `history`."""
        return self._positions(span, self.seen & self._not("weak"))

    def _not(self, role: str) -> NDArray[np.bool_]:
        return (self.rows["role"] != role).to_numpy()

    @staticmethod
    def _positions(
        span: "Span", shown: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        places = np.flatnonzero(shown)
        start, end = (np.searchsorted(places, each) for each in (span.start, span.end))
        indptr, flat = ranges(start, end)
        return indptr, places[flat]


@dataclass(frozen=True)
class Span:
    """For each case the stretch of interaction positions that its person has come to."""

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


def learned_items(train: pl.DataFrame, num_items: int) -> NDArray[np.bool_]:
    """Mark the items there is something to learn of: a strong or a weak row.

    Shapes:
        returns: (num_items,).
    """
    learned = np.zeros(num_items, dtype=np.bool_)
    learned[train.filter(pl.col("role") != "negative")["item_row"].to_numpy()] = True
    return learned


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
    item = rows["item_row"].to_numpy()
    target = item[targets]
    indptr, heard = visible.history(span)
    history = item[heard]
    barred_indptr, seen = visible.barred(span)
    barred = item[seen]
    of_type = dataset.item_type
    own = rows["split"].to_numpy()[targets] if name is None else np.full(len(targets), name)
    user = rows["user_row"].to_numpy()[targets]
    people = np.zeros(len(dataset.users), dtype=np.bool_)
    people[train["user_row"].to_numpy()] = True
    return Cases(
        user,
        target,
        indptr,
        history,
        rows["weight"].to_numpy()[heard],
        own.astype(np.str_),
        rows["tied"].to_numpy()[targets],
        _holds(indptr, of_type[history], of_type[target]),
        ~people[user],
        ~learned_items(train, len(dataset.items))[target],
        _holds(barred_indptr, barred, target),
        (rows["role"] == "strong").to_numpy()[heard],
        barred_indptr,
        barred,
    )


def _holds(
    indptr: NDArray[np.int64], values: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell whose list holds the wanted value. Shapes: indptr (C + 1,), wanted, returns (C,)."""
    case = np.repeat(np.arange(len(wanted)), np.diff(indptr))
    return np.bincount(case[values == wanted[case]], minlength=len(wanted)) > 0


def _shortened(indptr: NDArray[np.int64], kept: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Give the indptr of lists of which some entries are kept. Shapes: kept (H,)."""
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(kept)])[indptr]
