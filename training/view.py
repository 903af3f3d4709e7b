"""Less than a run may see: what is kept from it so that a comparison can say what that is worth."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.schema import YEAR
from graph.cases import Cases
from graph.errors import SplitError
from graph.lending import Split, lend_last
from tables.dataset import Dataset
from tables.folder import TOLD_OF_PEOPLE


@dataclass(frozen=True, kw_only=True)
class View:
    """What of the data set a run is shown; by default all that its holding leaves.

    The targets stay those of the holding, so that differences between views can be taken user
    by user.
    """

    item_type: str | None = None
    """The only item type that there is: in the catalogue, the histories and the targets."""
    held_days: float | None = None
    """The last so many days are held out, whatever the holding says."""
    graph_until: int | None = None
    """Unix seconds; the graph, and so the foundation, knows only what came before."""
    towers_until: int | None = None
    """Unix seconds; the towers and the scorer have learned only from what came before, and the
    graph knows no more than they: what is lent to them is lent from both. The histories of the
    cases are as new as ever."""
    without_text: bool = False
    """In place of its text vector each item has a drawn one, the same for every seed, which tells
    items apart and says nothing of them; years stay."""
    without_years: bool = False
    """Of no item the year is known."""
    without_people: bool = False
    """Nothing is known of people but what they did: no country, age or gender."""

    @property
    def described(self) -> str:
        """Name what differs from the whole view; "" for nothing."""
        told = (
            (name, value)
            for name, value in dataclasses.asdict(self).items()
            if value is not None and value is not False
        )
        return ", ".join(name if value is True else f"{name} {value}" for name, value in told)

    def of_dataset(self, dataset: Dataset) -> Dataset:
        """Leave the items of the one type, and of people and items what may be known.

        They keep their rows.

        Raises:
            SplitError: there is no such type.
        """
        if self.without_people:
            unknown = (pl.lit(None, pl.String).alias(column) for column in TOLD_OF_PEOPLE)
            dataset = dataclasses.replace(dataset, users=dataset.users.with_columns(unknown))
        if self.without_years:
            undated = dataset.items.with_columns(
                pl.lit(None, dataset.items[YEAR].dtype).alias(YEAR)
            )
            dataset = dataclasses.replace(dataset, items=undated)
        if self.item_type is None:
            return dataset
        first, end = self.rows(dataset)
        return dataclasses.replace(
            dataset,
            items=dataset.items[first:end],
            interactions=_renumbered(dataset.interactions, first, end),
        )

    def rows(self, dataset: Dataset) -> tuple[int, int]:
        """Give the first row of the items that are left, and the one after the last.

        Raises:
            SplitError: there is no item of the one type.
        """
        if self.item_type is None:
            return 0, len(dataset.items)
        if self.item_type not in dataset.item_types:
            raise SplitError(f"item type {self.item_type!r}, expected one of {dataset.item_types}")
        of_type = (dataset.items["item_type"] == self.item_type).arg_true()
        return int(of_type[0]), int(of_type[-1]) + 1

    def of_split(self, dataset: Dataset, split: Split) -> Split:
        """Leave the cases of the one type, and of that type alone in train and histories.

        `dataset` is the whole one. Whether a person or an item is unseen stays as it was there.
        """
        if self.item_type is None:
            return split
        first, end = self.rows(dataset)
        return Split(
            _renumbered(split.train, first, end),
            _cases(split.valid, first, end),
            _cases(split.test, first, end),
            f"{split.rule}; {self.item_type} alone",
        )

    def of_text(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Give the text vectors that the run is shown. Shapes: vectors, returns (N, F)."""
        if not self.without_text:
            return vectors
        drawn = np.random.default_rng(0).normal(size=vectors.shape).astype(np.float32)
        unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        return unit

    def of_graph(self, train: pl.DataFrame) -> pl.DataFrame:
        """Leave what the graph may know."""
        return train if self.graph_until is None else _before(train, self.graph_until)

    def of_towers(self, dataset: Dataset, split: Split, seed: int) -> Split:
        """Leave what the towers may learn from; what early stopping is lent is lent from that.

        Raises:
            SplitError: nothing is so old.
        """
        if self.towers_until is None:
            return split
        rows = dataset.interactions
        if dataset.has_split:
            rows = rows.filter(pl.col("split") == "train")
        seen = _before(rows, self.towers_until).sort("user_row", "timestamp", "order")
        if not len(seen):
            raise SplitError(f"towers_until: no interaction before {self.towers_until}")
        train, valid = lend_last(dataset, seen, seed)
        return dataclasses.replace(split, train=train, valid=valid)


def _before(rows: pl.DataFrame, moment: int) -> pl.DataFrame:
    return rows.filter(pl.col("timestamp") < moment)


def _renumbered(rows: pl.DataFrame, first: int, end: int) -> pl.DataFrame:
    kept = rows.filter(pl.col("item_row").is_between(first, end, closed="left"))
    return kept.with_columns(pl.col("item_row") - first)


def _cases(cases: Cases, first: int, end: int) -> Cases:
    asked = (cases.target >= first) & (cases.target < end)
    return cases.take(asked.nonzero()[0]).of_items(first, end)
