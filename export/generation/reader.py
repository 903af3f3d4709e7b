"""Opens a generation: verified, then mapped, so that processes share its memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation.check import check_array
from export.generation.errors import (
    GenerationCorruptError,
    GenerationForTestsError,
    GenerationInvalidError,
    GenerationMissingError,
)
from export.generation.folder import locate
from export.generation.ids import IdTable
from export.generation.layout import (
    INDEX_FOLDER,
    ITEM_COLUMNS,
    ITEM_ENCODER_FILE,
    ITEMS_FILE,
    USER_ENCODER_FILE,
    array_specs,
    layer_name,
)
from export.generation.manifest import Manifest, read_manifest
from export.generation.verify import check_files, check_index_kind
from features.encode import ItemEncoder, UserEncoder
from features.errors import EncoderError


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
        rows: (n,) int32. weight: (n,) float32, 0 = seen but not listened to.
    """

    rows: NDArray[np.int32]
    weight: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Generation:
    """An open generation; arrays are mapped read-only and shaped as in `GenerationContents`."""

    path: Path
    manifest: Manifest
    items: pl.DataFrame
    item_ids: IdTable
    user_ids: IdTable
    item_encoder: ItemEncoder
    user_encoder: UserEncoder
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

    @property
    def name(self) -> str:
        """Name of the generation: the hash of its content."""
        return self.manifest.generation

    @property
    def layer_inputs(self) -> tuple[NDArray[np.float32], ...]:
        """What enters each layer of the HGNN, text vectors first.

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
    def index_folder(self) -> Path:
        """Where the index over `item_vectors` was saved."""
        return self.path / INDEX_FOLDER

    def __len__(self) -> int:
        return len(self.item_type)

    def type_slice(self, item_type: str) -> slice:
        """Return the rows of a type, which lie together.

        Raises:
            KeyError: there is no such type.
        """
        if item_type not in self.manifest.item_types:
            raise KeyError(item_type)
        number = self.manifest.item_types.index(item_type)
        start, end = np.searchsorted(self.item_type, (number, number + 1))
        return slice(int(start), int(end))

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
        return History(self.history_rows[part], self.history_weight[part])


def read(path: Path, *, verify: bool = True, allow_test_featurizer: bool = False) -> Generation:
    """Open a generation, or the current one of an output folder.

    Names, sizes, types and shapes are always checked. `verify` reads every file once to
    compare its hash; leave it out only where the same bytes were verified just before.

    Raises:
        GenerationMissingError: there is none, or a file is not there.
        GenerationCorruptError: a file was cut short or altered; the error names it.
        GenerationTooNewError: a later program wrote it.
        GenerationUnsupportedError: it has a kind of index or a file that is not known here.
        GenerationForTestsError: a fake made its text vectors and `allow_test_featurizer` is
            not set.
    """
    folder = locate(path)
    manifest = read_manifest(folder)
    check_index_kind(folder, manifest)
    if manifest.featurizer.for_tests_only and not allow_test_featurizer:
        raise GenerationForTestsError(
            folder,
            f"its text vectors come from {manifest.featurizer.name!r}, a fake for tests: "
            "it must not serve",
        )
    check_files(folder, manifest, hashed=verify)
    return _open(folder, manifest)


def _open(folder: Path, manifest: Manifest) -> Generation:
    arrays = _arrays(folder, manifest)
    return Generation(
        path=folder,
        manifest=manifest,
        items=_items(folder, manifest),
        item_ids=_id_table("item_ids", arrays),
        user_ids=_id_table("user_ids", arrays),
        item_encoder=_item_encoder(folder / ITEM_ENCODER_FILE),
        user_encoder=_user_encoder(folder / USER_ENCODER_FILE),
        layers=tuple(
            arrays.pop(layer_name(i)) for i in range(1, len(manifest.dimensions.layers) + 1)
        ),
        **arrays,
    )


def _arrays(folder: Path, manifest: Manifest) -> dict[str, NDArray[Any]]:
    """Map every array and check its type and shape."""
    arrays: dict[str, NDArray[Any]] = {}
    for name, spec in array_specs(manifest.counts, manifest.dimensions, manifest.num_slots).items():
        path = folder / f"{name}.npy"
        try:
            # A plain view: numpy's memmap class makes every slice slower.
            arrays[name] = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
            check_array(name, arrays[name], spec)
        except FileNotFoundError:
            raise GenerationMissingError(path, "no such file") from None
        except GenerationInvalidError as error:
            raise GenerationCorruptError(path, error.problem) from error
        except (ValueError, EOFError) as error:
            raise GenerationCorruptError(path, f"not a readable array: {error}") from error
    return arrays


def _id_table(name: str, arrays: dict[str, NDArray[Any]]) -> IdTable:
    """Take the arrays of one table out of `arrays`."""
    return IdTable(
        data=arrays.pop(f"{name}_data"),
        offsets=arrays.pop(f"{name}_offsets"),
        hashes=arrays.pop(f"{name}_hashes"),
        rows=arrays.pop(f"{name}_rows"),
    )


def _items(folder: Path, manifest: Manifest) -> pl.DataFrame:
    path = folder / ITEMS_FILE
    try:
        items = pl.read_ipc(path)
    except FileNotFoundError:
        raise GenerationMissingError(path, "no such file") from None
    except pl.exceptions.PolarsError as error:
        raise GenerationCorruptError(path, f"not a readable table: {error}") from error
    if tuple(items.columns) != ITEM_COLUMNS or len(items) != manifest.counts.items:
        raise GenerationCorruptError(
            path,
            f"expected {manifest.counts.items} rows with {ITEM_COLUMNS}, "
            f"got {len(items)} with {tuple(items.columns)}",
        )
    return items


def _item_encoder(path: Path) -> ItemEncoder:
    try:
        return ItemEncoder.from_json(_text(path))
    except EncoderError as error:
        raise GenerationCorruptError(path, str(error)) from error


def _user_encoder(path: Path) -> UserEncoder:
    try:
        return UserEncoder.from_json(_text(path))
    except EncoderError as error:
        raise GenerationCorruptError(path, str(error)) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GenerationMissingError(path, "no such file") from None
    except UnicodeDecodeError as error:
        raise GenerationCorruptError(path, f"not UTF-8: {error}") from error
