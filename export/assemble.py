"""The parts of a run, turned into the contents of a generation."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation import GenerationContents
from export.generation.layout import ITEM_COLUMNS
from export.generation.manifest import Metric
from export.networks import Networks
from export.ready import Known, make_ready
from export.run import RunParts
from features.encode import UserRecord
from graph.build import popularity
from retrieval.defaults import LISTED
from retrieval.evidence import Catalogue
from retrieval.index import VectorIndex
from tables.dataset import Dataset

SPACE_CHARS = 16
SPACE_FILES = (
    "foundation/model.json",
    "foundation/model.safetensors",
    "adaptation/model.json",
    "adaptation/model.safetensors",
    "adaptation/item_encoder.json",
    "adaptation/user_encoder.json",
)


def assemble(
    parts: RunParts,
    networks: Networks,
    index: VectorIndex,
    metrics: tuple[Metric, ...],
    *,
    listed: int = LISTED,
) -> GenerationContents:
    """Put together everything that answers a request.

    Raises:
        GenerationInvalidError: the parts of the run contradict each other.
    """
    visible = visible_interactions(parts.dataset)
    graph = parts.graph
    people = popularity(visible, graph.num_items).astype(np.float32)
    sequence = parts.towers.config.user_tower == "sequence"
    known = Known(
        catalogue=Catalogue(
            parts.pairs,
            parts.item_vectors,
            parts.hgnn,
            parts.content.shape[1],
            people,
            graph.item_type,
        ),
        index=index,
        history_vectors=parts.item_vectors if sequence else parts.hgnn,
        history_length=parts.towers.config.history_length,
        user_features=_user_features(parts),
        history_indptr=_ends(visible, len(parts.dataset.users)),
        history_rows=visible["item_row"].to_numpy().astype(np.int32),
        history_weight=_weights(visible),
        history_seen=(visible["role"] != "weak").to_numpy(),
        calibration=parts.calibration,
    )
    return GenerationContents(
        space_id=space_id(parts),
        as_of=_newest(visible),
        featurizer=parts.featurizer,
        content_relations=graph.content_relations,
        history_length=known.history_length,
        history_vectors="item_vectors" if sequence else "hgnn",
        metrics=metrics,
        parity=networks.parity,
        models=networks.models,
        items=parts.dataset.items.select(ITEM_COLUMNS),
        user_ids=parts.dataset.users["user_id"].to_list(),
        item_encoder=parts.item_encoder,
        user_encoder=parts.user_encoder,
        index=index,
        item_type=graph.item_type,
        text=parts.content,
        layers=parts.layers,
        hgnn=parts.hgnn,
        item_vectors=parts.item_vectors,
        popularity=people,
        graph_indptr=graph.indptr,
        graph_neighbours=graph.neighbours,
        graph_weights=graph.weights,
        graph_users=graph.users,
        user_features=known.user_features,
        history_indptr=known.history_indptr,
        history_rows=known.history_rows,
        history_weight=known.history_weight,
        history_seen=known.history_seen,
        pairs=parts.pairs,
        calibration=parts.calibration,
        ready=make_ready(
            known,
            user_tower=networks.models.user_tower,
            scorer=networks.models.scorer,
            listed=listed,
        ),
    )


def visible_interactions(dataset: Dataset) -> pl.DataFrame:
    """Return what people's histories may show, by person, oldest first.

    Where the data set holds something out, only its train rows: who compares the served
    answers with the held-out rows must not find those rows in the histories.
    """
    rows = dataset.interactions
    return rows.filter(pl.col("split") == "train") if dataset.has_split else rows


def space_id(parts: RunParts) -> str:
    """Name the vector space: the featurizer, the networks and the tables of categories.

    Equal names mean that vectors may be compared. The featurizer counts by its revision, so
    two ways of running one encoder share a space.
    """
    digest = hashlib.sha256()
    featurizer = parts.featurizer
    for text in (featurizer.revision, featurizer.recipe, str(featurizer.dimensions)):
        digest.update(text.encode() + b"\0")
    for name in SPACE_FILES:
        digest.update(name.encode() + b"\0" + _hash(parts.folder / name))
    return digest.hexdigest()[:SPACE_CHARS]


def _hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _newest(visible: pl.DataFrame) -> datetime | None:
    newest = visible["timestamp"].max()
    return datetime.fromtimestamp(newest, tz=UTC) if isinstance(newest, int) else None


def _ends(visible: pl.DataFrame, users: int) -> NDArray[np.int64]:
    counts = np.bincount(visible["user_row"].to_numpy(), minlength=users)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _weights(visible: pl.DataFrame) -> NDArray[np.float32]:
    """Weigh negative signals 0: they are nothing that the user tower should listen to."""
    weight = visible["weight"].to_numpy().astype(np.float32)
    heard = (visible["role"] != "negative").to_numpy()
    return np.where(heard, weight, np.float32(0))


def _user_features(parts: RunParts) -> NDArray[np.int64]:
    columns = parts.dataset.users.select("country", "age_bucket", "gender")
    arrays = parts.user_encoder.encode([UserRecord(*row) for row in columns.iter_rows()])
    return np.stack([arrays.country, arrays.age, arrays.gender], axis=1)
