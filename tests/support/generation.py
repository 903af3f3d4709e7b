"""A tiny but real generation: a seeded world of audiobooks and podcasts behind real ONNX files.

Two communities: one hears of history and science, the other of romance and crime. Text
vectors come from the hash featurizer, so a reader has to allow that explicitly.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from export.generation import (
    FeaturizerInfo,
    Generation,
    GenerationContents,
    ModelFiles,
    switch,
    write,
)
from export.generation.folder import GENERATIONS_FOLDER
from export.generation.manifest import Metric
from export.ready import Known, make_ready
from features.encode import ItemEncoder, UserEncoder, UserRecord
from features.onnx import onnxruntime
from features.schema import TEXT_RECIPE, ItemRecord, compose_text
from features.text import HashFeaturizer
from graph.relations import RelationSchema
from retrieval.calibrate import Calibration
from retrieval.evidence import EDGE_KINDS, Catalogue
from retrieval.exact import ExactIndex
from retrieval.pairwise import PairTable
from tests.support.onnx_models import TinyShapes, tiny_hgnn, tiny_scorer, tiny_towers

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AS_OF = datetime(2026, 1, 1, tzinfo=UTC)
ITEM_TYPES = ("audiobook", "podcast")
RELATIONS = ("creator",)
COMMUNITIES = (("history", "science"), ("romance", "crime"))
TEXT_DIMENSIONS = 64
HIDDEN = 24
HGNN = 80
VECTOR = 16
CAP = 8
LISTED = 20
CALIBRATION = Calibration((1.1, 0.9), (-0.2, 0.1))

METRIC: Metric = {
    "model": "2t-hgnn",
    "slice": "all",
    "metric": "hr@10",
    "value": 0.5,
    "low": 0.25,
    "high": 0.75,
    "users": 20,
}

Lists = list[list[tuple[int, float, int]]]
"""Per list, its entries: row, weight, people."""


@dataclass(frozen=True)
class TinyWorld:
    """Who met what."""

    item_ids: tuple[str, ...]
    records: tuple[ItemRecord, ...]
    community: NDArray[np.int64]
    """(N,), 0 or 1."""
    user_ids: tuple[str, ...]
    users: tuple[UserRecord, ...]
    histories: tuple[NDArray[np.int64], ...]
    """Item rows, oldest first."""


def write_tiny_generation(folder: Path, *, seed: int = 7) -> Path:
    """Write the tiny generation into `folder` and return its path."""
    return write(folder, tiny_contents(seed=seed), created=CREATED)


def write_tiny_output(out: Path, *, seed: int = 7) -> Path:
    """Write the tiny generation as `python -m export` would, make it current, return its path."""
    path = write_tiny_generation(out / GENERATIONS_FOLDER, seed=seed)
    switch(out, path.name)
    return path


def embed_user(generation: Generation, user_row: int) -> NDArray[np.float32]:
    """Run the user tower of a generation on what it knows of a user, and return (V,)."""
    country, age, gender = generation.user_features[user_row : user_row + 1].T
    history = generation.history(user_row)
    rows = history.rows[::-1][None]  # (1, L), newest first
    (vector,) = _run(
        generation.user_tower_path.read_bytes(),
        country=country,
        age=age,
        gender=gender,
        history=generation.history_vectors[rows],
        history_type=generation.item_type[rows],
        history_weight=history.weight[::-1][None],
    )
    first: NDArray[np.float32] = vector[0]
    return first


def tiny_world(*, seed: int = 7, items_per_type: int = 30, users: int = 20) -> TinyWorld:
    """Draw items and people; user-0, user-2 … hear of history and science."""
    rng = np.random.default_rng(seed)
    ids: list[str] = []
    records: list[ItemRecord] = []
    community: list[int] = []
    for item_type in ITEM_TYPES:
        for number in range(items_per_type):
            side = number % 2
            genre = COMMUNITIES[side][number // 2 % 2]
            ids.append(f"{item_type}-{number:02d}")
            community.append(side)
            records.append(
                ItemRecord(
                    item_type=item_type,
                    title=f"A {genre} {item_type}, part {number}",
                    description=f"All about {genre}." if number % 3 else "",
                    language=("en", "de", "")[number % 3],
                    genres=(genre,),
                    creator=f"{genre} house" if number % 5 else "",
                    year=2000,  # the same for all, which tells nothing apart
                )
            )
    histories = []
    for user in range(users):
        own = np.flatnonzero(np.array(community) == user % 2)
        histories.append(rng.choice(own, size=10, replace=False))
    return TinyWorld(
        item_ids=tuple(ids),
        records=tuple(records),
        community=np.array(community),
        user_ids=tuple(f"user-{number}" for number in range(users)),
        users=tuple(
            UserRecord(
                country=("SE", "DE", None)[number % 3],
                age_bucket=("18-24", "25-34")[number % 2],
                gender=("f", "m", None)[number % 3],
            )
            for number in range(users)
        ),
        histories=tuple(histories),
    )


def tiny_contents(*, seed: int = 7, newest_seen: bool = True) -> GenerationContents:
    """Build everything that the tiny generation holds.

    Without `newest_seen` people only looked at the newest of their items.
    """
    world = tiny_world(seed=seed)
    item_encoder = ItemEncoder.fit(world.records)
    user_encoder = UserEncoder.fit(world.users)
    arrays = item_encoder.encode(world.records)
    schema = RelationSchema(ITEM_TYPES, RELATIONS)
    shapes = TinyShapes(
        types=len(ITEM_TYPES),
        slots=schema.num_slots,
        relation=schema.table,
        text=TEXT_DIMENSIONS,
        hidden=HIDDEN,
        hgnn=HGNN,
        vector=VECTOR,
        countries=len(user_encoder.countries) + 1,
        ages=len(user_encoder.age_buckets) + 1,
        genders=len(user_encoder.genders) + 1,
        languages=len(item_encoder.languages) + 1,
        genres=len(item_encoder.genres),
    )
    rng = np.random.default_rng(seed)
    hgnn_model = tiny_hgnn(shapes, rng)
    featurizer = HashFeaturizer(TEXT_DIMENSIONS)
    text = featurizer.embed([compose_text(record) for record in world.records])
    lists = _neighbour_lists(world, arrays.item_type)
    layer_1, hgnn = _run_hgnn(hgnn_model, text, arrays.item_type, lists)
    user_model, item_model = tiny_towers(shapes, hgnn.mean(axis=0), rng)
    (item_vectors,) = _run(
        item_model,
        text=text,
        hgnn=hgnn,
        item_type=arrays.item_type,
        language=arrays.language,
        genres=arrays.genres,
        residual=np.zeros((len(text), VECTOR), dtype=np.float32),
    )
    users = user_encoder.encode(world.users)
    history = np.concatenate(world.histories)
    entries = [entry for each in lists for entry in each]
    popularity = np.bincount(history, minlength=len(text)).astype(np.float32)
    known = Known(
        catalogue=Catalogue(
            _pairs(lists, len(text)),
            item_vectors,
            hgnn,
            TEXT_DIMENSIONS,
            popularity,
            arrays.item_type,
        ),
        index=ExactIndex(item_vectors),
        history_vectors=hgnn,
        history_length=50,
        user_features=np.stack([users.country, users.age, users.gender], axis=1),
        history_indptr=_indptr([len(each) for each in world.histories]),
        history_rows=history.astype(np.int32),
        history_weight=np.ones(len(history), dtype=np.float32),
        calibration=CALIBRATION,
        history_seen=np.concatenate([_seen(len(each), newest_seen) for each in world.histories]),
    )
    scorer = tiny_scorer()
    return GenerationContents(
        space_id=f"tiny-{seed}",
        as_of=AS_OF,
        featurizer=FeaturizerInfo(
            name=featurizer.name,
            revision=featurizer.revision,
            recipe=TEXT_RECIPE,
            dimensions=featurizer.dimensions,
            for_tests_only=featurizer.for_tests_only,
        ),
        content_relations=RELATIONS,
        history_length=50,
        history_vectors="hgnn",
        metrics=(METRIC,),
        parity={"hgnn": 0.0, "user_tower": 0.0, "item_tower": 0.0},
        models=ModelFiles(
            hgnn=hgnn_model, user_tower=user_model, item_tower=item_model, scorer=scorer
        ),
        items=_items(world),
        user_ids=world.user_ids,
        item_encoder=item_encoder,
        user_encoder=user_encoder,
        index=known.index,
        item_type=arrays.item_type,
        text=text,
        layers=(layer_1,),
        hgnn=hgnn,
        item_vectors=item_vectors,
        popularity=popularity,
        graph_indptr=_indptr([len(each) for each in lists]),
        graph_neighbours=np.array([row for row, _, _ in entries], dtype=np.int32),
        graph_weights=np.array([weight for _, weight, _ in entries], dtype=np.float32),
        graph_users=np.array([people for _, _, people in entries], dtype=np.int32),
        user_features=known.user_features,
        history_indptr=known.history_indptr,
        history_rows=known.history_rows,
        history_weight=known.history_weight,
        history_seen=known.history_seen,
        pairs=known.catalogue.pairs,
        calibration=CALIBRATION,
        ready=make_ready(known, user_tower=user_model, scorer=scorer, listed=LISTED),
    )


def _seen(events: int, newest_seen: bool) -> NDArray[np.bool_]:
    seen = np.ones(events, dtype=np.bool_)
    seen[-1] = newest_seen
    return seen


def _items(world: TinyWorld) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item_id": world.item_ids,
            "item_type": [each.item_type for each in world.records],
            "title": [each.title for each in world.records],
            "description": [each.description or None for each in world.records],
            "language": [each.language or None for each in world.records],
            "genres": [list(each.genres) for each in world.records],
            "creator": [each.creator or None for each in world.records],
            "year": [each.year for each in world.records],
        },
        schema_overrides={"genres": pl.List(pl.String), "year": pl.Int64},
    )


def _neighbour_lists(world: TinyWorld, item_type: NDArray[np.int64]) -> Lists:
    """Join items that two people or more share, and items of one creator; list s * N + n."""
    items = len(world.records)
    together = np.zeros((items, items), dtype=np.int64)
    for history in world.histories:
        together[np.ix_(history, history)] += 1
    people = np.diag(together).copy()
    np.fill_diagonal(together, 0)
    creator = np.array([each.creator for each in world.records])
    lists: Lists = []
    for slot in range(len(ITEM_TYPES)):
        for row in range(items):
            joined = np.flatnonzero((together[row] >= 2) & (item_type == slot)).tolist()
            lists.append(
                [
                    (
                        n,
                        float(together[row, n] / np.sqrt(people[row] * people[n])),
                        int(together[row, n]),
                    )
                    for n in joined
                ]
            )
    for row in range(items):
        same = np.flatnonzero((creator == creator[row]) & (creator != "")).tolist()
        lists.append([(n, 1.0, 0) for n in same if n != row])
    return [sorted(each, key=lambda entry: (-entry[1], entry[0]))[:CAP] for each in lists]


def _pairs(lists: Lists, items: int) -> PairTable:
    """Let every neighbour speak for the owner of the list, as loudly as the edge weighs."""
    edges = [
        (number % items, row, weight, number // items)
        for number, entries in enumerate(lists)
        for row, weight, _ in entries
    ]
    owner, neighbour, weight, slot = (np.array(column) for column in zip(*edges, strict=True))
    by_people = slot < len(ITEM_TYPES)
    counted = np.where(by_people, weight, 0)
    said = {"influence": counted / 2, "together": counted, "content": weight - counted}
    silent = np.zeros_like(weight)
    columns = [said.get(kind, silent) for kind in EDGE_KINDS]
    weights = np.stack(columns, axis=1).astype(np.float32)
    return PairTable.from_lists(owner, neighbour, weights, items)


def _run_hgnn(
    model: bytes, text: NDArray[np.float32], item_type: NDArray[np.int64], lists: Lists
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compute layer 1, then the vectors, of the whole catalogue."""
    items = len(text)
    slots = len(lists) // items
    near = np.full((items, slots, CAP), -1, dtype=np.int64)
    for number, entries in enumerate(lists):
        near[number % items, number // items, : len(entries)] = [row for row, _, _ in entries]
    layer_1 = np.zeros((items, HIDDEN), dtype=np.float32)
    for _ in range(2):  # first for layer 1 alone, then for what rests on it
        layer_1, vector = _run(
            model,
            text=text,
            item_type=item_type,
            neighbours_1=text[near],
            neighbours_2=layer_1[near],
            mask=near >= 0,
        )
    return layer_1, vector


def _run(model: bytes, **inputs: NDArray[np.generic]) -> list[NDArray[np.float32]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return [np.asarray(output, dtype=np.float32) for output in session.run(None, inputs)]


def _indptr(lengths: list[int]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
