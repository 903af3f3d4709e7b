"""From vectors and filters to lists of rows: nearest items, or the most popular ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from retrieval.exact import ExactIndex
from retrieval.fused import Listener
from retrieval.query import Query, Selection
from retrieval.select import Selector
from retrieval.store import load_index
from server.answers import Notice, NoticeKind
from server.fusion import Fuser
from server.requests import Shape
from server.stores.catalogue import Catalogue


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
class FoundList:
    """The rows of one list of an answer."""

    item_type: str | None
    """None where the list is over all types."""
    selection: Selection


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one search found."""

    lists: tuple[FoundList, ...]
    notices: tuple[Notice, ...]


@dataclass(frozen=True, eq=False)
class _Plan:
    """An ask as the queries that answer it."""

    queries: list[Query]
    types: list[str | None]
    notices: list[Notice]


class Search:
    """Searches the catalogue of one generation; threads may share it."""

    def __init__(self, generation: Generation, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        index = load_index(generation.index_folder, generation.item_vectors)
        self.index_kind = index.kind
        self._nearest = Selector(index, generation.item_vectors, generation.item_type)
        # Popularity is a vector space of one dimension: the same filters, the same order of ties.
        popularity = np.ascontiguousarray(generation.popularity)[:, None]
        self._popular = Selector(ExactIndex(popularity), popularity, generation.item_type)

    def run(self, asks: Sequence[Ask], fuser: Fuser | None = None) -> list[Outcome]:
        """Answer searches together, in order; `fuser` ranks those that have a listener."""
        plans = [self._plan(ask) for ask in asks]
        found: dict[int, list[Selection]] = {}
        for selector, popular in ((self._nearest, False), (self._popular, True)):
            places = [i for i, ask in enumerate(asks) if (ask.vector is None) == popular]
            queries = [
                fuser.deepen(query) if fuser and asks[i].listener else query
                for i in places
                for query in plans[i].queries
            ]
            selections = iter(selector.select(queries))
            for i in places:
                found[i] = [next(selections) for _ in plans[i].queries]
        if fuser is not None:
            for i, ask in enumerate(asks):
                if ask.listener is not None:
                    found[i] = [
                        fuser.rank(ask.listener, query, nearest)
                        for query, nearest in zip(plans[i].queries, found[i], strict=True)
                    ]
        return [_outcome(plan, found[i]) for i, plan in enumerate(plans)]

    def _plan(self, ask: Ask) -> _Plan:
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
        vector = np.ones(1, dtype=np.float32) if ask.vector is None else ask.vector
        lists: list[tuple[str | None, tuple[int, ...] | None]] = [(None, asked.types)]
        if ask.shape.per_type:
            names = self._catalogue.item_types
            types = range(len(names)) if asked.types is None else asked.types
            lists = [(names[number], (number,)) for number in types]
        return _Plan(
            queries=[Query(vector, ask.shape.k, types, include, exclude) for _, types in lists],
            types=[name for name, _ in lists],
            notices=notices,
        )

    def _rows(self, ids: Sequence[str], field: str, notices: list[Notice]) -> NDArray[np.int64]:
        found = self._catalogue.find(ids)
        if found.unknown:
            kind = NoticeKind.UNKNOWN_FILTER_ITEMS
            notices.append(Notice.ignored(kind, field, found.unknown))
        return found.rows


def _outcome(plan: _Plan, selections: list[Selection]) -> Outcome:
    notices = list(plan.notices)
    for name, query, selection in zip(plan.types, plan.queries, selections, strict=True):
        if selection.available < query.k:
            kind = f" of type {name}" if name else ""
            message = f"k: {query.k} asked for, only {selection.available} items{kind} may be shown"
            notices.append(Notice(NoticeKind.FEWER_THAN_K, "k", message))
    lists = tuple(map(FoundList, plan.types, selections))
    return Outcome(lists, tuple(notices))
