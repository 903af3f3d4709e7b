"""Why an item is in an answer: the edges of the graph that join it with a person's history."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from server.answers import Path
from server.stores.catalogue import Catalogue


@dataclass(frozen=True, eq=False)
class _Edges:
    """Edges from owners to neighbours.

    Shapes:
        owner, neighbour: (E,) int64 rows. slot, users: (E,) int64. weight: (E,) float32.
    """

    owner: NDArray[np.int64]
    neighbour: NDArray[np.int64]
    slot: NDArray[np.int64]
    weight: NDArray[np.float32]
    users: NDArray[np.int64]


class Explainer:
    """Finds paths of one edge in the neighbour lists of a generation; threads may share it."""

    def __init__(self, generation: Generation, catalogue: Catalogue, *, most: int) -> None:
        self._generation = generation
        self._catalogue = catalogue
        self._most = most

    def explain(
        self, hits: NDArray[np.int64], history: NDArray[np.int64]
    ) -> dict[int, tuple[Path, ...]]:
        """Find what joins each hit with a history.

        Lists are capped, so an edge may be in the list of only one of its ends: both are
        looked at. Edges that people made come before those of content, heavier ones first,
        then the newest item of the history.

        Shapes:
            hits: (k,) rows. history: (L,) rows, newest first, repeats allowed.
            returns: by hit, at most `most` paths, best first; hits without one are left out.
        """
        paths: dict[int, dict[tuple[int, str], _Step]] = {}
        newest = {row: place for place, row in reversed(list(enumerate(history.tolist())))}
        for edges, ends_at_hit in (
            (self._edges(hits, history), False),
            (self._edges(np.unique(history), hits), True),
        ):
            for place in range(len(edges.owner)):
                owner, neighbour = int(edges.owner[place]), int(edges.neighbour[place])
                hit, past = (neighbour, owner) if ends_at_hit else (owner, neighbour)
                step = _Step(
                    row=past,
                    relation=self._relation(owner, int(edges.slot[place])),
                    users=int(edges.users[place]),
                    weight=float(edges.weight[place]),
                    place=newest[past],
                )
                paths.setdefault(hit, {}).setdefault((past, step.relation), step)
        return {hit: self._best(list(steps.values())) for hit, steps in paths.items()}

    def _edges(self, owners: NDArray[np.int64], wanted: NDArray[np.int64]) -> _Edges:
        """List the edges in the owners' lists that lead to wanted rows."""
        generation = self._generation
        slots = np.arange(generation.manifest.num_slots)
        lists = (slots[:, None] * len(generation) + owners).ravel()  # (S * owners,)
        starts = generation.graph_indptr[lists]
        lengths = generation.graph_indptr[lists + 1] - starts
        source = np.repeat(np.arange(len(lists)), lengths)  # (E,), which list
        before = np.cumsum(lengths) - lengths
        entry = np.arange(int(lengths.sum())) - before[source] + starts[source]
        kept = np.isin(generation.graph_neighbours[entry], wanted)
        source, entry = source[kept], entry[kept]
        return _Edges(
            owner=owners[source % len(owners)] if len(owners) else owners,
            neighbour=generation.graph_neighbours[entry].astype(np.int64),
            slot=source // max(len(owners), 1),
            weight=generation.graph_weights[entry],
            users=generation.graph_users[entry].astype(np.int64),
        )

    def _relation(self, owner: int, slot: int) -> str:
        """Name a list's relation: the two types in order, or the content relation."""
        manifest = self._generation.manifest
        types = len(manifest.item_types)
        if slot >= types:
            return manifest.content_relations[slot - types]
        first, second = sorted((int(self._generation.item_type[owner]), slot))
        return f"{manifest.item_types[first]}-{manifest.item_types[second]}"

    def _best(self, steps: "list[_Step]") -> tuple[Path, ...]:
        steps.sort(key=lambda step: (step.users == 0, -step.weight, step.place))
        return tuple(
            Path(
                item_id=self._catalogue.item_id(step.row),
                title=self._catalogue.title(step.row),
                relation=step.relation,
                users=step.users,
                weight=step.weight,
            )
            for step in steps[: self._most]
        )


@dataclass(frozen=True)
class _Step:
    """One edge into the history, by row."""

    row: int
    relation: str
    users: int
    weight: float
    place: int
    """In the history, 0 is the newest."""
