"""From what is asked for to the queries that find its candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retrieval.admission import Admission
from retrieval.fused import Listener
from retrieval.query import Query
from server.answers import MOST_VALUES, Notice, NoticeKind
from server.errors import shown
from server.requests import ANY_TRAITS, Shape, Traits
from server.stores.catalogue import Catalogue

Types = tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class Ask:
    """One search."""

    vector: NDArray[np.float32] | None
    """(D,), of unit norm; None asks for the most popular items."""
    shape: Shape
    exclude: NDArray[np.int64]
    """(n,), rows never returned, besides those the filter excludes."""
    listener: Listener | None = None
    """Whose history takes part in the ranking; None ranks by the vector alone."""


@dataclass(frozen=True, eq=False)
class PlannedList:
    """One list of an answer, and the queries that find its candidates; each for types of its own.

    There is more than one where types have quotas, and none where these allow nothing.
    """

    item_type: str | None
    """None where the list is over all types."""
    queries: tuple[Query, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """An ask as the queries that answer it."""

    lists: tuple[PlannedList, ...]
    notices: tuple[Notice, ...]

    @property
    def queries(self) -> list[Query]:
        """All queries, list by list."""
        return [query for each in self.lists for query in each.queries]


class Planner:
    """Plans searches of one catalogue; threads may share it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def plan(self, ask: Ask) -> Plan:
        """Plan one search."""
        notices: list[Notice] = []
        asked = ask.shape.filter
        exclude = np.concatenate(
            (ask.exclude, self._rows(asked.exclude, "filter.exclude_item_ids", notices))
        )
        include = (
            None
            if asked.include is None
            else self._rows(asked.include, "filter.include_item_ids", notices)
        )
        admitted = self._admitted(asked.traits, notices)
        vector = np.ones(1, dtype=np.float32) if ask.vector is None else ask.vector
        lists = tuple(
            PlannedList(
                name,
                tuple(
                    Query(vector, size, types, include, exclude, admitted) for types, size in parts
                ),
            )
            for name, parts in self._lists(ask.shape)
        )
        return Plan(lists, tuple(notices))

    def _lists(self, shape: Shape) -> list[tuple[str | None, list[tuple[Types, int]]]]:
        """Tell for each list which types its queries are for, and how many candidates they find."""
        asked = shape.filter.types
        everything = range(len(self._catalogue.item_types))
        size = shape.arrangement.pool_size
        if shape.per_type:
            types = everything if asked is None else asked
            names = self._catalogue.item_types
            return [(names[number], [((number,), size(shape.k))]) for number in types]
        quotas = shape.arrangement.quotas
        if not quotas:
            return [(None, [(asked, size(shape.k))])]
        limited = {quota.item_type for quota in quotas}
        rest = tuple(each for each in asked or everything if each not in limited)
        parts: list[tuple[Types, int]] = [(rest, size(shape.k))] if rest else []
        for quota in quotas:
            places = shape.k if quota.most is None else min(shape.k, quota.most)
            if places:
                parts.append(((quota.item_type,), size(places)))
        return [(None, parts)]

    def _admitted(self, traits: Traits, notices: list[Notice]) -> Admission | None:
        if traits == ANY_TRAITS:
            return None
        admitted = self._catalogue.attributes.admit(traits)
        for name, values in admitted.unknown:
            field = f"filter.{name}"
            examples = ", ".join(shown(each) for each in values[:3])
            message = f"{field}: no item has {examples}"
            kind = NoticeKind.UNKNOWN_CATEGORY
            notices.append(Notice(kind, field, message, values[:MOST_VALUES]))
        return admitted.admission

    def _rows(self, ids: Sequence[str], field: str, notices: list[Notice]) -> NDArray[np.int64]:
        found = self._catalogue.find(ids)
        if found.unknown:
            kind = NoticeKind.UNKNOWN_FILTER_ITEMS
            notices.append(Notice.ignored(kind, field, found.unknown))
        return found.rows
