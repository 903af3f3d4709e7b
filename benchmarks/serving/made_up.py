"""A generation of any size that is made up, with networks of the usual shape and drawn weights.

Items lie in clusters, so that an index has something to find; people choose around a cluster, and
every item speaks for others of its own. Nothing of it means anything, and all of it costs what the
real thing costs.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from benchmarks.index_catalogues import clustered, unit
from export.generation import (
    FeaturizerInfo,
    GenerationContents,
    ModelFiles,
    switch,
    write,
)
from export.generation.folder import GENERATIONS_FOLDER
from export.ready import Known, make_ready
from export.to_onnx import hgnn_to_onnx, item_tower_to_onnx, scorer_to_onnx, user_tower_to_onnx
from features.encode import ItemEncoder, UserEncoder, UserRecord
from features.schema import TEXT_RECIPE, ItemRecord
from models.config import HGNNConfig, TowerConfig
from models.hgnn import HGNN
from models.scorer import Scorer
from models.towers import TwoTower
from retrieval.approximate import ApproximateIndex
from retrieval.defaults import APPROXIMATE_FROM
from retrieval.evidence import EDGE_KINDS, Catalogue
from retrieval.exact import ExactIndex
from retrieval.hnsw import GraphSettings
from retrieval.index import VectorIndex
from retrieval.pairwise import PairTable
from retrieval.tune import QUESTIONS, WIDTHS, tune

TYPES = ("book", "film")
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
BUILD_WIDTH = 100
ROWS_AT_ONCE = 16_384
RECALL = 0.99
EVENTS = 50
NEAR = 200
"""Rows around an item that it has to do with."""

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a made-up generation is."""

    items: int
    users: int = 2_000
    speaks_for: int = 30
    neighbours: int = 10
    text: int = 128
    """Width of text vectors. The featurizer's own width where new items are to be embedded."""


def make_up(out: Path, size: Size, featurizer: FeaturizerInfo, *, seed: int, say: Say) -> Path:
    """Write a generation into `out`, make it current, and return its path.

    One that is there is kept. The same size and seed give the same generation.
    """
    if (out / "current").exists():
        return (out / "current").resolve()
    path = add(out, size, featurizer, seed=seed, say=say)
    switch(out, path.name)
    return path


def add(out: Path, size: Size, featurizer: FeaturizerInfo, *, seed: int, say: Say) -> Path:
    """Write a generation beside those that are in `out`, and return its path."""
    say(f"{size.items:,} items: drawing")
    contents = _contents(size, featurizer, np.random.default_rng(seed), say)
    say(f"{size.items:,} items: writing")
    return write(out / GENERATIONS_FOLDER, contents, created=CREATED)


def made_up_featurizer(dimensions: int) -> FeaturizerInfo:
    """Describe a featurizer that nothing is."""
    return FeaturizerInfo(
        name="made up",
        revision="made up",
        recipe=TEXT_RECIPE,
        dimensions=dimensions,
        for_tests_only=False,
    )


def _contents(
    size: Size, featurizer: FeaturizerInfo, rng: np.random.Generator, say: Say
) -> GenerationContents:
    items = size.items
    item_vectors, _ = clustered(items, 1, seed=int(rng.integers(1 << 31)))
    item_type = np.repeat(np.arange(2), (items - items // 3, items // 3))
    records = [ItemRecord(item_type=TYPES[t], title="made up") for t in (0, 1)]
    item_encoder = ItemEncoder.fit(records)
    user_encoder = UserEncoder.fit([UserRecord()])
    models, towers = _networks(size.text, item_encoder, user_encoder)
    near = _near(item_vectors, item_type, size, rng)
    text = unit(rng.standard_normal((items, size.text), dtype=np.float32))
    graph = rng.standard_normal((items, 128), dtype=np.float32)
    hgnn = unit(np.concatenate((graph, text), axis=1))
    rows, indptr = _histories(near, size, rng)
    popularity = np.bincount(rows, minlength=items).astype(np.float32) + 1
    known = Known(
        catalogue=Catalogue(
            _pairs(near, size, rng), item_vectors, hgnn, size.text, popularity, item_type
        ),
        index=ExactIndex(item_vectors),
        history_vectors=item_vectors,
        history_length=towers.history_length,
        user_features=np.zeros((size.users, 3), dtype=np.int64),
        history_indptr=indptr,
        history_rows=rows,
        history_weight=np.ones(len(rows), dtype=np.float32),
        history_seen=np.ones(len(rows), dtype=np.bool_),
    )
    tower, scorer = models.user_tower, models.scorer
    asking = make_ready(known, user_tower=tower, scorer=scorer, listed=0).vectors
    known = replace(known, index=_index(item_vectors, item_type, asking, say))
    neighbours = near[:, : size.neighbours].ravel().astype(np.int32)
    say(f"{items:,} items: answering {size.users:,} people")
    return GenerationContents(
        space_id="made-up",
        as_of=None,
        featurizer=featurizer,
        content_relations=(),
        history_length=known.history_length,
        history_vectors="item_vectors",
        metrics=(),
        parity={},
        models=models,
        items=_table(items, item_type),
        user_ids=[f"user-{number}" for number in range(size.users)],
        item_encoder=item_encoder,
        user_encoder=user_encoder,
        index=known.index,
        item_type=item_type,
        text=text,
        layers=(rng.standard_normal((items, 128), dtype=np.float32),),
        hgnn=hgnn,
        item_vectors=item_vectors,
        popularity=popularity,
        graph_indptr=_graph_indptr(item_type, size),
        graph_neighbours=neighbours,
        graph_weights=np.ones(len(neighbours), dtype=np.float32),
        graph_users=np.full(len(neighbours), 3, dtype=np.int32),
        user_features=known.user_features,
        history_indptr=indptr,
        history_rows=rows,
        history_weight=known.history_weight,
        history_seen=known.history_seen,
        pairs=known.catalogue.pairs,
        ready=make_ready(known, user_tower=tower, scorer=scorer),
    )


def _networks(text: int, items: ItemEncoder, users: UserEncoder) -> tuple[ModelFiles, TowerConfig]:
    torch.manual_seed(0)
    hgnn = HGNN(HGNNConfig(item_types=TYPES, text_dimensions=text))
    config = TowerConfig(
        item_types=TYPES,
        countries=len(users.countries) + 1,
        ages=len(users.age_buckets) + 1,
        genders=len(users.genders) + 1,
        languages=len(items.languages) + 1,
        genres=len(items.genres),
        text_dimensions=text,
        known_dimensions=hgnn.config.vector_dimensions,
    )
    towers, scorer = TwoTower(config), Scorer()
    with torch.no_grad():
        scorer.weight.normal_().abs_()
    models = ModelFiles(
        hgnn=hgnn_to_onnx(hgnn),
        user_tower=user_tower_to_onnx(towers.user),
        item_tower=item_tower_to_onnx(towers.item),
        scorer=scorer_to_onnx(scorer),
    )
    return models, config


def _near(
    vectors: NDArray[np.float32],
    item_type: NDArray[np.int64],
    size: Size,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Order rows so that those of one neighbourhood lie beside each other: by the closest pivot.

    Shapes:
        returns: (N, n) rows near each row, of its own type.
    """
    pivots = vectors[rng.permutation(len(vectors))[: max(1, len(vectors) // NEAR)]].T
    closest = np.concatenate(
        [
            (vectors[start : start + ROWS_AT_ONCE] @ pivots).argmax(axis=1)
            for start in range(0, len(vectors), ROWS_AT_ONCE)
        ]
    )
    order = np.lexsort((closest, item_type))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    width = max(size.speaks_for, size.neighbours)
    first = np.searchsorted(item_type, item_type)  # where each row's type begins
    last = np.searchsorted(item_type, item_type, side="right")
    steps = np.sort(rng.permutation(np.arange(1, NEAR))[:width])
    beside = place[:, None] + steps
    span = (last - first)[:, None]
    rows: NDArray[np.int64] = order[first[:, None] + (beside - first[:, None]) % span]
    return rows


def _index(
    vectors: NDArray[np.float32],
    item_type: NDArray[np.int64],
    asking: NDArray[np.float32],
    say: Say,
) -> VectorIndex:
    """Build what a catalogue of the size deserves, tuned on people. Shapes: asking (U, V)."""
    if len(vectors) < APPROXIMATE_FROM:
        return ExactIndex(vectors)
    say(f"{len(vectors):,} items: building graphs")
    settings = GraphSettings(build_width=BUILD_WIDTH, threads=2)
    index = ApproximateIndex.build(vectors, item_type, settings)
    return tune(index, asking[:QUESTIONS], recall=RECALL) or index.with_width(WIDTHS[-1])


def _pairs(near: NDArray[np.int64], size: Size, rng: np.random.Generator) -> PairTable:
    targets = np.sort(near[:, : size.speaks_for], axis=1)
    indptr = np.arange(len(near) + 1, dtype=np.int64) * size.speaks_for
    weights = rng.random((targets.size, len(EDGE_KINDS)), dtype=np.float32)
    return PairTable(indptr, targets.ravel().astype(np.int32), weights)


def _graph_indptr(item_type: NDArray[np.int64], size: Size) -> NDArray[np.int64]:
    """Give every item a list of neighbours of its own type, and none of the others."""
    lengths = np.zeros((len(TYPES), len(item_type)), dtype=np.int64)
    lengths[item_type, np.arange(len(item_type))] = size.neighbours
    return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)


def _histories(
    near: NDArray[np.int64], size: Size, rng: np.random.Generator
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Draw people who walk from item to item."""
    walk = np.empty((size.users, EVENTS), dtype=np.int64)
    walk[:, 0] = rng.integers(0, len(near), size.users)
    for step in range(1, EVENTS):
        walk[:, step] = near[walk[:, step - 1], rng.integers(0, near.shape[1], size.users)]
    return walk.ravel().astype(np.int32), np.arange(size.users + 1, dtype=np.int64) * EVENTS


def _table(items: int, item_type: NDArray[np.int64]) -> pl.DataFrame:
    nothing = pl.lit(None, dtype=pl.String)
    return pl.DataFrame({"row": np.arange(items), "type": item_type}).select(
        item_id=pl.format("item-{}", pl.col("row").cast(pl.String).str.zfill(8)),
        item_type=pl.col("type").replace_strict(dict(enumerate(TYPES)), return_dtype=pl.String),
        title=pl.format("Title {}", pl.col("row")),
        description=nothing,
        language=nothing,
        genres=pl.lit([], dtype=pl.List(pl.String)),
        creator=nothing,
        year=pl.lit(None, dtype=pl.Int64),
    )
