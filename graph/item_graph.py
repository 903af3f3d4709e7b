"""The item-item graph: capped neighbour lists per node and slot, kept as CSR arrays."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from graph.errors import GraphFileError
from graph.pairs import PairSet
from graph.relations import RelationSchema

FORMAT = 1
_ARRAYS = ("item_type", "indptr", "neighbours", "weights", "users", "people")


@dataclass(frozen=True)
class Edges:
    """Unique undirected edges of one relation, sorted by `left`, then `right`.

    Shapes:
        left, right: (E,), int64, item rows, left < right.
    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the edges."""
        return len(self.left)


@dataclass(frozen=True)
class ItemGraph:
    """N items, each with S neighbour lists (see RelationSchema for the slots).

    The lists of slot s at row n lie between `indptr[s * N + n]` and the next entry, sorted
    by falling weight, then by row. They are capped one by one, so a may list b although b
    does not list a. No list holds its own node or a neighbour twice.

    Shapes:
        item_type: (N,), int64, ascending. indptr: (S * N + 1,), int64.
        neighbours: (E,), int32. weights: (E,), float32. users: (E,), int32.
        people: (N,), int64.
    """

    item_types: tuple[str, ...]
    content_relations: tuple[str, ...]
    item_type: NDArray[np.int64]
    indptr: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]
    users: NDArray[np.int32]
    """Distinct people behind an edge; 0 in content relations, which have nobody behind them."""
    people: NDArray[np.int64]
    """Distinct people with a strong signal for the item inside the window: its popularity."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together.

        Raises:
            GraphFileError: a length or a bound is wrong.
        """
        lists, edges = self.num_slots * self.num_items, len(self.neighbours)
        fits = (
            len(self.indptr) == lists + 1
            and self.indptr[0] == 0
            and int(self.indptr[-1]) == edges
            and len(self.weights) == len(self.users) == edges
            and len(self.people) == self.num_items
            and bool((np.diff(self.indptr) >= 0).all())
        )
        if not fits:
            raise GraphFileError(
                f"graph: expected {lists + 1} list ends and {edges} edges in every array, got "
                f"{len(self.indptr)}, {len(self.weights)} weights, {len(self.users)} users"
            )

    @property
    def num_items(self) -> int:
        """N."""
        return len(self.item_type)

    @property
    def num_slots(self) -> int:
        """S, the number of item types and content relations together."""
        return len(self.item_types) + len(self.content_relations)

    @property
    def relations(self) -> RelationSchema:
        """The relations behind the slots."""
        return RelationSchema(self.item_types, self.content_relations)

    def lists(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Number the lists of some nodes. Shapes: rows (B,), returns (B, S)."""
        return rows[:, None] + np.arange(self.num_slots) * self.num_items

    def degree(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the stored neighbours. Shapes: rows (B,), returns (B, S)."""
        lists = self.lists(rows)
        lengths: NDArray[np.int64] = self.indptr[lists + 1] - self.indptr[lists]
        return lengths

    def dense(self, rows: NDArray[np.int64], width: int) -> NDArray[np.int64]:
        """Give each list's best neighbours, best first, padded with -1 at the end.

        Shapes:
            rows: (B,). returns: (B, S, width), int64.
        """
        found = np.full((len(rows), self.num_slots, width), -1, dtype=np.int64)
        place = np.arange(width)
        inside = place < self.degree(rows)[:, :, None]  # (B, S, width)
        positions = self.indptr[self.lists(rows)][:, :, None] + place
        found[inside] = self.neighbours[positions[inside]]
        return found

    def dense_slot(self, rows: NDArray[np.int64], slot: int) -> NDArray[np.int64]:
        """Give all neighbours in one slot, best first, padded with -1 at the end.

        Shapes:
            rows: (B,). returns: (B, W), int64, W the longest of these lists (0 where all
            are empty).
        """
        lists = slot * self.num_items + rows
        start, length = self.indptr[lists], self.indptr[lists + 1] - self.indptr[lists]
        place = np.arange(int(length.max(initial=0)))
        inside = place < length[:, None]  # (B, W)
        found = np.full(inside.shape, -1, dtype=np.int64)
        found[inside] = self.neighbours[(start[:, None] + place)[inside]]
        return found

    def edges(self, relation: str) -> Edges:
        """Collect a relation's edges, each once, whichever of its two ends lists it.

        Raises:
            ValueError: there is no relation of this name.
        """
        names = self.relations.names
        if relation not in names:
            raise ValueError(f"relation {relation!r}, expected one of {', '.join(names)}")
        places = np.argwhere(self.relations.table == names.index(relation))
        ends = [self._slot(int(node_type), int(slot)) for node_type, slot in places]
        source = np.concatenate([end[0] for end in ends])
        target = np.concatenate([end[1] for end in ends])
        pairs = np.unique(np.minimum(source, target) * self.num_items + np.maximum(source, target))
        return Edges(*np.divmod(pairs, self.num_items))

    def without(self, pairs: NDArray[np.int64]) -> Self:
        """Copy the graph less some edges, in both directions and in every slot.

        Lists that lose an edge become shorter; nothing that the cap had left out comes in.

        Shapes:
            pairs: (P, 2), item rows in any order.
        """
        source = self.list_of % self.num_items
        gone = PairSet.of(pairs, self.num_items).holds(source, self.neighbours.astype(np.int64))
        return self._where(~gone)

    def of_relations(self, kept: Collection[str]) -> Self:
        """Copy the graph with empty lists in all relations but those named."""
        slot, row = np.divmod(self.list_of, self.num_items)
        named = np.array([name in kept for name in self.relations.names])
        return self._where(named[self.relations.table[self.item_type[row], slot]])

    @property
    def list_of(self) -> NDArray[np.int64]:
        """Number of the list that each entry stands in. Shapes: returns (E,), ascending."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))

    def _where(self, kept: NDArray[np.bool_]) -> Self:
        """Copy the graph with some of its entries. Shapes: kept (E,)."""
        lengths = np.bincount(self.list_of[kept], minlength=len(self.indptr) - 1)
        return type(self)(
            self.item_types,
            self.content_relations,
            self.item_type,
            np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths)]),
            self.neighbours[kept],
            self.weights[kept],
            self.users[kept],
            self.people,
        )

    def _slot(self, node_type: int, slot: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Source and neighbour of every entry in one slot of the nodes of one type."""
        first, end = np.searchsorted(self.item_type, [node_type, node_type + 1])
        base = slot * self.num_items
        indptr = self.indptr[base + first : base + end + 1]
        source = np.repeat(np.arange(first, end), np.diff(indptr))
        return source, self.neighbours[indptr[0] : indptr[-1]].astype(np.int64)

    def save(self, folder: Path) -> None:
        """Write graph.json and one .npy per array into an existing folder."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        header = {
            "format": FORMAT,
            "item_types": self.item_types,
            "content_relations": self.content_relations,
        }
        (folder / "graph.json").write_text(json.dumps(header, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, *, mmap: bool = False) -> Self:
        """Read what `save` wrote; with `mmap` the arrays stay on disk until touched.

        Raises:
            GraphFileError: a file is missing or damaged, or comes from another format.
        """
        mode: Literal["r"] | None = "r" if mmap else None
        try:
            header = json.loads((folder / "graph.json").read_text(encoding="utf-8"))
            if header["format"] != FORMAT:
                raise GraphFileError(f"{folder}: format {header['format']}, expected {FORMAT}")
            arrays = {
                name: np.load(folder / f"{name}.npy", mmap_mode=mode, allow_pickle=False)
                for name in _ARRAYS
            }
            types, content = tuple(header["item_types"]), tuple(header["content_relations"])
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise GraphFileError(f"{folder}: not a readable graph: {error}") from error
        return cls(types, content, **arrays)
