"""Which files a generation has, and the type and shape of each array."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

from export.generation.manifest import Counts, Dimensions
from retrieval.evidence import EDGE_KINDS

ITEM_ENCODER_FILE = "item_encoder.json"
USER_ENCODER_FILE = "user_encoder.json"
INDEX_FOLDER = "index"
MODEL_FILES = ("hgnn.onnx", "user_tower.onnx", "item_tower.onnx")
SCORER_FILE = "scorer.onnx"
"""From format 2 on."""

ITEM_COLUMNS = (
    "item_id",
    "item_type",
    "title",
    "description",
    "language",
    "genres",
    "creator",
    "year",
)

TEXT_COLUMNS = ("title", "description", "language", "genres", "creator")
"""Attributes kept as texts; several genres are joined as in the data contract, `a|b|c`."""

NO_YEAR = -(2**31)
"""Stands in `year` for an unknown one."""

HISTORY_VECTORS = ("item_vectors", "hgnn")
"""Arrays that a user tower may read a history from."""

USER_FIELDS = ("country", "age", "gender")
"""Columns of `user_features`."""

ID_TABLES = ("item_ids", "user_ids")


@dataclass(frozen=True)
class ArraySpec:
    """What an array must be; None in a shape leaves that length open."""

    dtype: DTypeLike
    shape: tuple[int | None, ...]


def layer_name(number: int) -> str:
    """Name the array of a hidden layer, counted from 1."""
    return f"layer_{number}"


def array_specs(counts: Counts, dimensions: Dimensions, slots: int) -> dict[str, ArraySpec]:
    """List every array of a generation; the file of each is its name and `.npy`.

    Shapes:
        graph_indptr: (S * N + 1,), list s of item n is entry s * N + n.
        user_features: (U, 3), rows of the country, age and gender tables, 0 = unknown.
        history_*: oldest to newest; weight 0 marks what is not listened to. `history_seen`, from
            format 2 on, marks what was chosen or turned away; before, all counts as seen.
        pair_*: what each item speaks for, as `retrieval.pairwise.PairTable`; from format 2 on.
        user_vectors, list_*: what the networks say of each user, from format 3 on; see `Ready`.
    """
    items, users = counts.items, counts.users
    specs = {
        "item_type": ArraySpec(np.int64, (items,)),
        "text": ArraySpec(np.float32, (items, dimensions.text)),
        **{
            layer_name(i): ArraySpec(np.float32, (items, width))
            for i, width in enumerate(dimensions.layers, start=1)
        },
        "hgnn": ArraySpec(np.float32, (items, dimensions.hgnn)),
        "item_vectors": ArraySpec(np.float32, (items, dimensions.vector)),
        "popularity": ArraySpec(np.float32, (items,)),
        "year": ArraySpec(np.int32, (items,)),
        "graph_indptr": ArraySpec(np.int64, (slots * items + 1,)),
        "graph_neighbours": ArraySpec(np.int32, (counts.edges,)),
        "graph_weights": ArraySpec(np.float32, (counts.edges,)),
        "graph_users": ArraySpec(np.int32, (counts.edges,)),
        "user_features": ArraySpec(np.int64, (users, len(USER_FIELDS))),
        "history_indptr": ArraySpec(np.int64, (users + 1,)),
        "history_rows": ArraySpec(np.int32, (counts.history,)),
        "history_weight": ArraySpec(np.float32, (counts.history,)),
    }
    if counts.pairs is not None:
        kinds = len(EDGE_KINDS)
        specs["pair_indptr"] = ArraySpec(np.int64, (items + 1,))
        specs["pair_targets"] = ArraySpec(np.int32, (counts.pairs,))
        specs["pair_weights"] = ArraySpec(np.float32, (counts.pairs, kinds))
        specs["history_seen"] = ArraySpec(np.bool_, (counts.history,))
    if counts.listed is not None:
        specs["user_vectors"] = ArraySpec(np.float32, (users, dimensions.vector))
        specs["list_rows"] = ArraySpec(np.int32, (users, counts.listed))
        specs["list_scores"] = ArraySpec(np.float32, (users, counts.listed))
        specs["list_chances"] = ArraySpec(np.float32, (users, counts.listed))
    for name in TEXT_COLUMNS:
        specs |= _text_specs(name, items)
    for name, count in zip(ID_TABLES, (items, users), strict=True):
        specs |= _text_specs(name, count)
        specs[f"{name}_hashes"] = ArraySpec(np.uint64, (count,))
        specs[f"{name}_rows"] = ArraySpec(np.int32, (count,))
    return specs


def _text_specs(name: str, count: int) -> dict[str, ArraySpec]:
    return {
        f"{name}_data": ArraySpec(np.uint8, (None,)),
        f"{name}_offsets": ArraySpec(np.int64, (count + 1,)),
    }
