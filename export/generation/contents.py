"""What a generation is made of before it is written: checked, so that a bad one cannot exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation.check import (
    check_arrays,
    check_histories,
    check_lists,
    check_pairs,
    check_ready,
    check_vectors,
)
from export.generation.errors import GenerationInvalidError
from export.generation.generation import Ready
from export.generation.ids import IdTable
from export.generation.layout import (
    HISTORY_VECTORS,
    ITEM_COLUMNS,
    NO_YEAR,
    TEXT_COLUMNS,
    USER_FIELDS,
    array_specs,
    layer_name,
)
from export.generation.manifest import Counts, Dimensions, FeaturizerInfo, Metric
from export.generation.texts import TextColumn
from features.encode import ItemEncoder, UserEncoder
from features.schema import GENRE_SEPARATOR
from retrieval.calibrate import Calibration
from retrieval.index import VectorIndex
from retrieval.pairwise import PairTable


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The networks as ONNX, weights inside."""

    hgnn: bytes
    """`hgnn.onnx`."""

    user_tower: bytes
    """`user_tower.onnx`."""

    item_tower: bytes
    """`item_tower.onnx`."""

    scorer: bytes
    """`scorer.onnx`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class GenerationContents:
    """Everything that answers a request.

    Items lie in rows 0 .. N-1, sorted by (type index, id). An item has S = T + C neighbour
    lists: slot s below T holds neighbours of type s, slot T + j those of content relation j.

    Shapes:
        items: N rows with the columns of `layout.ITEM_COLUMNS`, in row order.
        item_type: (N,) int64. text: (N, D0), unit, text vectors and years. hgnn: (N, D), unit.
            item_vectors: (N, V), unit. layers: (N, D_l) each. popularity: (N,). All float32.
        graph_indptr: (S * N + 1,) int64, list of slot s of item n is entry s * N + n.
        graph_neighbours: (E,) int32, best first. graph_weights: (E,) float32.
            graph_users: (E,) int32, people behind an edge, 0 for content.
        user_features: (U, 3) int64, rows of the country, age and gender tables, 0 = unknown.
        history_indptr: (U + 1,) int64. history_rows: (H,) int32, history_weight: (H,) float32 and
            history_seen: (H,) bool, oldest to newest; weight 0 marks what is not listened to,
            seen what was chosen or turned away and is not shown again unasked.

    `history_length` is how many of the newest entries the user tower was trained to read,
    `history_vectors` which array it reads them from. `pairs` says what each item speaks for,
    `ready` what the networks say of each user, `calibration` what the scorer's shares are worth.

    Raises:
        GenerationInvalidError: something does not fit the rest; the message names the field.
    """

    space_id: str
    as_of: datetime | None
    featurizer: FeaturizerInfo
    content_relations: tuple[str, ...]
    history_length: int
    history_vectors: str
    metrics: tuple[Metric, ...]
    parity: dict[str, float]
    models: ModelFiles
    items: pl.DataFrame
    user_ids: Sequence[str]
    item_encoder: ItemEncoder
    user_encoder: UserEncoder
    index: VectorIndex
    item_type: NDArray[np.int64]
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
    pairs: PairTable
    ready: Ready
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        self._check_items()
        arrays = self.arrays()
        check_arrays(arrays, array_specs(self.counts, self.dimensions, self.num_slots))
        for name in ("text", "hgnn", "item_vectors"):
            check_vectors(name, arrays[name], unit=True)
        for name in (*map(layer_name, range(1, len(self.layers) + 1)), "popularity"):
            check_vectors(name, arrays[name], unit=False)
        check_lists(arrays, len(self.item_types))
        check_histories(arrays, len(self.items))
        check_pairs(arrays, len(self.items))
        check_ready(arrays, len(self.items))
        self._check_history_vectors()
        self._check_users()
        self._check_index()
        self._check_calibration()

    @property
    def item_types(self) -> tuple[str, ...]:
        """Types by index, as the item encoder has them."""
        return self.item_encoder.item_types.ids

    @property
    def num_slots(self) -> int:
        """Count the neighbour lists of an item."""
        return len(self.item_types) + len(self.content_relations)

    @property
    def dimensions(self) -> Dimensions:
        """Widths of the vectors."""
        return Dimensions(
            text=_width("text", self.text),
            layers=tuple(_width("layers", layer) for layer in self.layers),
            hgnn=_width("hgnn", self.hgnn),
            vector=_width("item_vectors", self.item_vectors),
        )

    @property
    def counts(self) -> Counts:
        """Sizes of the arrays."""
        return Counts(
            items=len(self.items),
            users=len(self.user_ids),
            edges=len(self.graph_neighbours),
            history=len(self.history_rows),
            pairs=len(self.pairs.targets),
            listed=_width("list_rows", self.ready.rows),
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return every array by the name of its file, the id tables included.

        Raises:
            GenerationInvalidError: an id is empty or occurs twice.
        """
        arrays: dict[str, NDArray[np.generic]] = {
            name: getattr(self, name)
            for name in array_specs(self.counts, self.dimensions, self.num_slots)
            if name in self.__dataclass_fields__
        }
        for i, layer in enumerate(self.layers, start=1):
            arrays[layer_name(i)] = layer
        arrays["pair_indptr"] = self.pairs.indptr
        arrays["pair_targets"] = self.pairs.targets
        arrays["pair_weights"] = self.pairs.weights
        arrays["user_vectors"] = self.ready.vectors
        arrays["list_rows"] = self.ready.rows
        arrays["list_scores"] = self.ready.scores
        arrays["list_chances"] = self.ready.chances
        arrays["year"] = self.items["year"].fill_null(NO_YEAR).to_numpy().astype(np.int32)
        for name in TEXT_COLUMNS:
            column = self.items[name]
            if column.dtype == pl.List:
                column = column.list.join(GENRE_SEPARATOR)
            arrays |= _text_arrays(name, TextColumn.from_texts(column))
        tables = {"item_ids": self.items["item_id"].to_list(), "user_ids": self.user_ids}
        for name, ids in tables.items():
            table = IdTable.from_ids(ids)
            arrays |= _text_arrays(name, table.texts)
            arrays |= {f"{name}_hashes": table.hashes, f"{name}_rows": table.rows}
        return arrays

    def _check_history_vectors(self) -> None:
        if self.history_vectors not in HISTORY_VECTORS:
            raise GenerationInvalidError(
                "history_vectors",
                f"expected one of {HISTORY_VECTORS}, got {self.history_vectors!r}",
            )

    def _check_items(self) -> None:
        if tuple(self.items.columns) != ITEM_COLUMNS:
            raise GenerationInvalidError(
                "items", f"expected columns {ITEM_COLUMNS}, got {tuple(self.items.columns)}"
            )
        if self.items["item_id"].dtype != pl.String or self.items["item_id"].null_count():
            raise GenerationInvalidError("items", "item_id must be strings without nulls")
        if len(self.item_type) != len(self.items):
            raise GenerationInvalidError(
                "item_type", f"expected {len(self.items)} entries, got {len(self.item_type)}"
            )
        types = len(self.item_types)
        if len(self.items) and not 0 <= self.item_type.min() <= self.item_type.max() < types:
            raise GenerationInvalidError("item_type", f"expected numbers from 0 to {types - 1}")
        names = np.array(self.item_types, dtype=object)[self.item_type].tolist()
        if self.items["item_type"].to_list() != names:
            raise GenerationInvalidError("items", "item_type contradicts the array of that name")
        ids = self.items["item_id"].to_list()
        keys = list(zip(self.item_type.tolist(), ids, strict=True))
        if keys != sorted(keys):
            raise GenerationInvalidError("items", "expected rows sorted by type, then by item_id")

    def _check_users(self) -> None:
        encoder = self.user_encoder
        tables = (encoder.countries, encoder.age_buckets, encoder.genders)
        for column, (name, table) in enumerate(zip(USER_FIELDS, tables, strict=True)):
            rows = self.user_features[:, column]
            if len(rows) and not 0 <= rows.min() <= rows.max() <= len(table):
                raise GenerationInvalidError(
                    "user_features", f"{name}: expected rows from 0 to {len(table)}"
                )

    def _check_index(self) -> None:
        got = (len(self.index), self.index.dimensions)
        if got != self.item_vectors.shape:
            raise GenerationInvalidError(
                "index", f"expected {self.item_vectors.shape} item vectors, it holds {got}"
            )

    def _check_calibration(self) -> None:
        types = len(self.item_types)
        if self.calibration is not None and len(self.calibration.slope) != types:
            got = len(self.calibration.slope)
            raise GenerationInvalidError("calibration", f"expected {types} types, it has {got}")


def _text_arrays(name: str, column: TextColumn) -> dict[str, NDArray[np.generic]]:
    return {f"{name}_data": column.data, f"{name}_offsets": column.offsets}


def _width(name: str, vectors: NDArray[np.generic]) -> int:
    if vectors.ndim != 2:
        raise GenerationInvalidError(name, f"expected (rows, width), got shape {vectors.shape}")
    return int(vectors.shape[1])
