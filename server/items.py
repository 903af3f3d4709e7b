"""Vectors of items: read for known ones, computed through HGNN and item tower for new ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from features.encode import ItemEncoder
from features.years import join_years
from server.answers import MOST_VALUES, ItemVector, Notice, NoticeKind, Provenance
from server.errors import UnknownItemError, shown
from server.requests import EmbeddedText, NewItem
from server.runtime import Models, in_parts
from server.stopwatch import Stopwatch
from server.stores.catalogue import Catalogue

CREATOR = "creator"


@dataclass(frozen=True, eq=False)
class _Placed:
    """A new item and its neighbours.

    Shapes:
        slots: S arrays of rows, best first.
    """

    task: EmbeddedText
    slots: list[NDArray[np.int64]]
    notices: tuple[Notice, ...]

    @property
    def neighbours(self) -> int:
        """Count them."""
        return sum(map(len, self.slots))


class ItemEmbedder:
    """Gives items their vectors; threads may share it."""

    def __init__(
        self, generation: Generation, catalogue: Catalogue, models: Models, *, most_neighbours: int
    ) -> None:
        self._generation = generation
        self._catalogue = catalogue
        self._models = models
        self._most = most_neighbours

    def known(self, item_id: str) -> ItemVector:
        """Read the vector of a known item.

        Raises:
            UnknownItemError: the generation does not have it.
        """
        row = self._catalogue.row(item_id)
        if row is None:
            raise UnknownItemError(item_id)
        return known_item(self._generation, self._catalogue, row)

    def embed(self, tasks: Sequence[EmbeddedText], watch: Stopwatch) -> list[ItemVector]:
        """Embed new items together, in order."""
        placed = [self._place(task) for task in tasks]
        with watch.stage("model"):
            parts = in_parts(placed, self._models.rows_at_once)
            return [vector for part in parts for vector in self._embed_new(part)]

    def _place(self, task: EmbeddedText) -> _Placed:
        """Sort a new item's neighbours into the lists that a known item has.

        Related items go to the list of their type; the creator's known items to the list of
        that content relation, where the generation has one.
        """
        related = self._catalogue.find(task.item.related)
        notices = list(_category_notices(task.item, self._generation.item_encoder))
        if related.unknown:
            kind, field = NoticeKind.UNKNOWN_RELATED_ITEMS, "new_item.related_item_ids"
            notices.append(Notice.ignored(kind, field, related.unknown))
        manifest = self._generation.manifest
        types = self._generation.item_type[related.rows]
        slots = [related.rows[types == slot] for slot in range(len(manifest.item_types))]
        for relation in manifest.content_relations:
            creator = task.item.record.creator if relation == CREATOR else ""
            slots.append(self._catalogue.by_creator(creator, self._most))
        return _Placed(task, [rows[: self._most] for rows in slots], tuple(notices))

    def _embed_new(self, placed: Sequence[_Placed]) -> list[ItemVector]:
        arrays = self._generation.item_encoder.encode([each.task.item.record for each in placed])
        content = join_years(np.stack([each.task.vector for each in placed]), arrays.years)
        near = pad_slots([each.slots for each in placed])  # (B, S, K)
        hgnn = self._models.embed_graph(
            content,
            arrays.item_type,
            tuple(layer[near] for layer in self._generation.layer_inputs),
            near >= 0,
        )
        vectors = self._models.embed_items(
            content, hgnn, arrays.item_type, arrays.language, arrays.genres
        )
        return [
            ItemVector(
                vector=vector,
                provenance=Provenance.INDUCTIVE if each.neighbours else Provenance.TEXT_ONLY,
                item_type=each.task.item.record.item_type,
                neighbours=each.neighbours,
                featurizer=each.task.featurizer,
                notices=each.notices,
            )
            for each, vector in zip(placed, vectors, strict=True)
        ]


def known_item(generation: Generation, catalogue: Catalogue, row: int) -> ItemVector:
    """Read the vector of a known item."""
    return ItemVector(
        vector=generation.item_vectors[row],
        provenance=known_provenance(catalogue, row),
        item_type=catalogue.type_name(row),
        neighbours=int(catalogue.degree[row]),
        item_id=catalogue.item_id(row),
    )


def known_provenance(catalogue: Catalogue, row: int) -> Provenance:
    """Say what supports a known item's vector."""
    return Provenance.GRAPH if catalogue.degree[row] else Provenance.TEXT_ONLY


def pad_slots(items: list[list[NDArray[np.int64]]]) -> NDArray[np.int64]:
    """Put neighbour lists in one array, as wide as the longest of them.

    Shapes:
        items: B items with S lists each.
        returns: (B, S, K), padded with -1; K may be 0.
    """
    width = max(len(rows) for slots in items for rows in slots)
    padded = np.full((len(items), len(items[0]), width), -1, dtype=np.int64)
    for place, slots in enumerate(items):
        for slot, rows in enumerate(slots):
            padded[place, slot, : len(rows)] = rows
    return padded


def _category_notices(item: NewItem, encoder: ItemEncoder) -> list[Notice]:
    """Note a language, and each genre, that training never saw."""
    arrays = encoder.encode([item.record])
    notices = []
    if item.record.language and not arrays.language[0]:
        field = "new_item.language"
        message = f"{field}: was never seen in training and counts as unknown"
        value = (item.record.language,)
        notices.append(Notice(NoticeKind.UNKNOWN_CATEGORY, field, message, value))
    if unknown := encoder.unknown_genres(item.record):
        field = "new_item.genres"
        examples = ", ".join(shown(each) for each in unknown[:3])
        message = f"{field}: never seen in training, counted as text alone: {examples}"
        kind = NoticeKind.UNKNOWN_CATEGORY
        notices.append(Notice(kind, field, message, unknown[:MOST_VALUES]))
    return notices
