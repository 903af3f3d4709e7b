"""What stages are made from: the data set as a run is shown it, its parts, and earlier stages."""

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.encode import ItemEncoder
from features.years import join_years
from graph.cases import Cases
from graph.item_graph import ItemGraph
from graph.split import Split, hold_out
from tables.dataset import Dataset, load_dataset
from tables.roles import HoldOutRule
from training.centring import centred
from training.holdings import HOLDINGS
from training.records import item_records
from training.view import View

COMPARISON_ONLY = "comparison_only"
"""Entry of a stage's summary: the settings in use that a server would not follow."""


class Material:
    """Reads what is in a run's folder, each part once and not before it is asked for."""

    def __init__(
        self, folder: Path, holding: str, view: View, seed: int, *, weak_signals: bool
    ) -> None:
        """Take the folder of a run, a key of `HOLDINGS` and what cuts the data set further.

        Without `weak_signals` neither the towers nor the scorer are to hear them.
        """
        self.folder = folder
        self._holding = holding
        self._view = view
        self._seed = seed
        self._weak_signals = weak_signals

    @cached_property
    def whole(self) -> Dataset:
        """The data set after its checks."""
        return load_dataset(self.folder / "dataset")

    @cached_property
    def dataset(self) -> Dataset:
        """What the run is shown of it."""
        return self._view.of_dataset(self.whole)

    @cached_property
    def held_out(self) -> Split:
        """What may be learned from and what is asked, whatever the towers' age."""
        days, seed = self._view.held_days, self._seed
        if days is None:
            split = HOLDINGS[self._holding](self.whole, seed)
        else:
            split = hold_out(self.whole, HoldOutRule("time", days), seed=seed)
        return self._view.of_split(self.whole, split)

    @cached_property
    def graph_train(self) -> pl.DataFrame:
        """What the graph learns from: as old as the towers where these are not as new as may be."""
        split = self.held_out if self._view.towers_until is None else self.split
        return self._view.of_graph(split.train)

    @cached_property
    def split(self) -> Split:
        """What the towers learn from and what is asked."""
        return self._view.of_towers(self.dataset, self.held_out, self._seed)

    @cached_property
    def heard(self) -> pl.DataFrame:
        """The part of what the towers learn from that they are to hear."""
        train = self.split.train
        return train if self._weak_signals else train.filter(pl.col("role") == "strong")

    def hear(self, cases: Cases) -> Cases:
        """Leave in the cases' histories what the towers are to hear."""
        return cases if self._weak_signals else cases.without_weak()

    @cached_property
    def text(self) -> NDArray[np.float32]:
        """Text vectors (N, F), unit rows, of the items that the run is shown."""
        first, end = self._view.rows(self.whole)
        return self._view.of_text(_vectors(self.folder / "text" / "vectors.npy"))[first:end]

    @cached_property
    def item_encoder(self) -> ItemEncoder:
        """What turns the fields of items into arrays, fitted on those that the run is shown."""
        return ItemEncoder.fit(item_records(self.dataset.items))

    @cached_property
    def content(self) -> NDArray[np.float32]:
        """What is known of the items (N, F) but for people: text vectors and years, unit rows."""
        years = self.item_encoder.years.encode(item_records(self.dataset.items))
        return join_years(self.text, years)

    @cached_property
    def centred_content(self) -> NDArray[np.float32]:
        """The same without what all items share, as HGNN vectors hold it."""
        return centred(self.content)

    @cached_property
    def graph(self) -> ItemGraph:
        """The item-item graph of what is learned from."""
        return ItemGraph.load(self.folder / "graph")

    @cached_property
    def hgnn_vectors(self) -> NDArray[np.float32]:
        """HGNN vectors z (N, D), unit rows."""
        return _vectors(self.folder / "foundation" / "vectors.npy")

    @cached_property
    def unchosen_vectors(self) -> NDArray[np.float32]:
        """HGNN vectors (N, D) of items had nobody chosen them, unit rows."""
        return _vectors(self.folder / "foundation" / "unchosen.npy")


def _vectors(path: Path) -> NDArray[np.float32]:
    vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return vectors
