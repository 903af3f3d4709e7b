"""An open generation: what a server reads, by row."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.generation.ids import IdTable
from export.generation.layout import INDEX_FOLDER, NO_YEAR, SCORER_FILE
from export.generation.manifest import Manifest
from export.generation.texts import TextColumn
from features.encode import ItemEncoder, UserEncoder
from features.schema import GENRE_SEPARATOR, ItemRecord
from retrieval.pairwise import PairTable


@dataclass(frozen=True, eq=False)
class Neighbours:
    """One neighbour list, best first.

    Shapes:
        rows: (n,) int32. weights: (n,) float32. users: (n,) int32, people behind each edge,
            0 where content joins the two.
    """

    rows: NDArray[np.int32]
    weights: NDArray[np.float32]
    users: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class History:
    """What one user met, oldest to newest.

    Shapes:
        rows: (n,) int32. weight: (n,) float32, 0 = not listened to. seen: (n,) bool, chosen or
            turned away.
    """

    rows: NDArray[np.int32]
    weight: NDArray[np.float32]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Ready:
    """What the networks say of each user, from the history that the generation holds alone.

    Shapes:
        vectors: (U, V) float32, unit rows.
        rows: (U, R) int32, the items that suit each best of those not seen, best first, -1 where
            there are no more; all -1 for users without history.
        scores: (U, R) float32, as `retrieval.fused.FusedRanker` gives them; 0 where rows is -1.
        chances: (U, R) float32, the calibrated scores; NaN where nobody knows.
    """

    vectors: NDArray[np.float32]
    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    chances: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation:
    """An open generation; arrays are mapped read-only and shaped as in `GenerationContents`."""

    path: Path
    manifest: Manifest
    item_ids: IdTable
    user_ids: IdTable
    item_encoder: ItemEncoder
    user_encoder: UserEncoder
    item_type: NDArray[np.int64]
    title: TextColumn
    description: TextColumn
    language: TextColumn
    genres: TextColumn
    creator: TextColumn
    year: NDArray[np.int32]
    text: NDArray[np.float32]
    layers: tuple[NDArray[np.float32], ...]
    hgnn: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    popularity: NDArray[np.float32]
    graph_indptr: NDArray[np.int64]
    graph_neighbours: NDArray[np.int32]
    graph_weights: NDArray[np.float32]
    graph_users: NDArray[np.int32]
    user_features: NDArray[np.int64]
    history_indptr: NDArray[np.int64]
    history_rows: NDArray[np.int32]
    history_weight: NDArray[np.float32]
    history_seen: NDArray[np.bool_]
    """All true in format 1, which does not tell."""
    pairs: PairTable | None
    """What each item speaks for; None in format 1."""
    ready: Ready | None
    """What need not be computed for known users; None before format 3."""

    @property
    def name(self) -> str:
        """Name of the generation: the hash of its content."""
        return self.manifest.generation

    @property
    def layer_inputs(self) -> tuple[NDArray[np.float32], ...]:
        """What enters each layer of the HGNN, text vectors and years first.

        `neighbours_1`, `neighbours_2` ... of `hgnn.onnx` are made of rows of these.

        Shapes:
            returns: per layer (N, D_l).
        """
        return (self.text, *self.layers)

    @property
    def hgnn_path(self) -> Path:
        """Where `hgnn.onnx` lies."""
        return self.path / "hgnn.onnx"

    @property
    def user_tower_path(self) -> Path:
        """Where `user_tower.onnx` lies."""
        return self.path / "user_tower.onnx"

    @property
    def item_tower_path(self) -> Path:
        """Where `item_tower.onnx` lies."""
        return self.path / "item_tower.onnx"

    @property
    def scorer_path(self) -> Path:
        """Where `scorer.onnx` lies, from format 2 on."""
        return self.path / SCORER_FILE

    @property
    def history_vectors(self) -> NDArray[np.float32]:
        """What the user tower reads a history from. Shapes: returns (N, H)."""
        return self.hgnn if self.manifest.history_vectors == "hgnn" else self.item_vectors

    @property
    def index_folder(self) -> Path:
        """Where the index over `item_vectors` was saved."""
        return self.path / INDEX_FOLDER

    def __len__(self) -> int:
        return len(self.item_type)

    def record(self, row: int) -> ItemRecord:
        """Return the attributes of an item.

        Raises:
            IndexError: no such row.
        """
        genres = self.genres[row]
        year = int(self.year[row])
        return ItemRecord(
            item_type=self.manifest.item_types[self.item_type[row]],
            title=self.title[row],
            description=self.description[row],
            language=self.language[row],
            genres=tuple(genres.split(GENRE_SEPARATOR)) if genres else (),
            creator=self.creator[row],
            year=None if year == NO_YEAR else year,
        )

    def neighbours(self, row: int, slot: int) -> Neighbours:
        """Return one neighbour list of an item.

        Raises:
            IndexError: no such row or slot.
        """
        if not (0 <= row < len(self) and 0 <= slot < self.manifest.num_slots):
            raise IndexError(f"no neighbour list for row {row}, slot {slot}")
        entry = slot * len(self) + row
        part = slice(int(self.graph_indptr[entry]), int(self.graph_indptr[entry + 1]))
        return Neighbours(
            self.graph_neighbours[part], self.graph_weights[part], self.graph_users[part]
        )

    def history(self, user_row: int) -> History:
        """Return what a user met.

        Raises:
            IndexError: no such row.
        """
        if not 0 <= user_row < len(self.user_ids):
            raise IndexError(f"no user in row {user_row}")
        part = slice(int(self.history_indptr[user_row]), int(self.history_indptr[user_row + 1]))
        return History(self.history_rows[part], self.history_weight[part], self.history_seen[part])
