"""The step from vectors and constraints to the top k of each request."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retrieval.admission import Admission
from retrieval.errors import CatalogueError, QueryError
from retrieval.exact import ExactIndex
from retrieval.index import NO_ROW, VectorIndex
from retrieval.query import Query, Selection, no_rows

DEEPEN = 4
"""How much deeper to look when exclusions ate too many of the hits."""

FEW = 8192
"""Where a filter lets through no more rows than this, they are scored one by one, without asking
the index what it can do with a filter: at most some two milliseconds (docs/performance.md)."""


@dataclass(frozen=True, eq=False)
class _Ranking:
    """A query that ranks rows which are known already."""

    element: int
    query: Query
    rows: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Search:
    """A query that searches the index, and how deep it looks next."""

    element: int
    query: Query
    types: tuple[int, ...]
    exclude: NDArray[np.int64]
    available: int
    depth: int
    deepest: int
    """Hits from which no exclusion can take the k-th: the index owes as many."""

    def deeper(self) -> Self:
        """Look further down, at most to where k rows are certain."""
        assert self.depth < self.deepest, "the index returned fewer rows than it has"
        return replace(self, depth=min(self.depth * DEEPEN, self.deepest))


_Filter = tuple[tuple[int, ...], Admission | None, int]
"""Types, admission and depth: queries that have all three in common share a search."""


class Selector:
    """Answers queries over one catalogue, whatever the index behind it.

    Every query gets k rows whenever its filters leave k. Types are searched
    inside the index. Include lists are ranked exactly, row by row, and so is what
    an admission lets through where that is little; where it is much the index gets
    it as a mask. Exclusions are dropped from a search that looks deeper until k
    remain; a row is never lost to them. Queries with the same filter share a search,
    and the answer to a query does not depend on the others in its batch.

    Shapes:
        vectors: (N, D), what `index` was built over.
        item_type: (N,) int64, never decreasing: each type is one slice of rows.

    Raises:
        CatalogueError: the three do not fit together, or types are not slices.
    """

    def __init__(
        self, index: VectorIndex, vectors: NDArray[np.float32], item_type: NDArray[np.int64]
    ) -> None:
        if vectors.shape != (len(index), index.dimensions):
            raise CatalogueError(
                f"catalogue vectors: expected shape {(len(index), index.dimensions)} "
                f"as the index has, got {vectors.shape}"
            )
        if item_type.shape != (len(index),):
            raise CatalogueError(
                f"item_type: expected shape ({len(index)},), got {item_type.shape}"
            )
        if len(item_type) and (item_type[0] < 0 or (np.diff(item_type) < 0).any()):
            raise CatalogueError("item_type: expected rows sorted by type, types counted from 0")
        self._index = index
        self._exact = ExactIndex(vectors)
        num_types = int(item_type[-1]) + 1 if len(item_type) else 0
        self._bounds = np.searchsorted(item_type, np.arange(num_types + 1))  # (T + 1,)

    def select(self, queries: Sequence[Query]) -> list[Selection]:
        """Answer each query, in order.

        Raises:
            QueryError: a vector of another length than the index has, an unknown type, or
                an included or excluded row outside the catalogue; `element` says in which query.
        """
        listed: defaultdict[bytes, list[_Ranking]] = defaultdict(list)
        searches: list[_Search] = []
        for element, query in enumerate(queries):
            self._check(query, element)
            types = self._types(query)
            rows = self._listed(query, types)
            if rows is None:
                searches.append(self._search(element, query, types))
            else:
                listed[rows.tobytes()].append(_Ranking(element, query, rows))

        answers: dict[int, Selection] = {}
        for rankings in listed.values():
            answers |= self._rank(rankings)
        while searches:
            found, searches = self._look(searches)
            answers |= found
        return [answers[element] for element in range(len(queries))]

    def _check(self, query: Query, element: int) -> None:
        """Raise QueryError where a query does not fit the catalogue."""
        if len(query.vector) != self._index.dimensions:
            raise QueryError(
                "vector",
                f"expected {self._index.dimensions} values, got {len(query.vector)}",
                element=element,
            )
        num_types = len(self._bounds) - 1
        for item_type in query.types or ():
            if not 0 <= item_type < num_types:
                problem = f"type {item_type} is unknown, there are {num_types}"
                raise QueryError("types", problem, element=element)
        if query.admitted is not None and query.admitted.num_items != len(self._index):
            problem = f"is of {query.admitted.num_items} rows, the catalogue has {len(self._index)}"
            raise QueryError("admitted", problem, element=element)
        for name, rows in (("include", query.include), ("exclude", query.exclude)):
            if rows is None or not len(rows):
                continue
            if rows.min() < 0 or rows.max() >= len(self._index):
                odd = rows[(rows < 0) | (rows >= len(self._index))][0]
                problem = f"row {odd} is outside the catalogue of {len(self._index)}"
                raise QueryError(name, problem, element=element)

    def _types(self, query: Query) -> tuple[int, ...]:
        """Return the types a query allows: each once, ascending."""
        if query.types is None:
            return tuple(range(len(self._bounds) - 1))
        return tuple(sorted(set(query.types)))

    def _of_types(self, rows: NDArray[np.int64], types: tuple[int, ...]) -> NDArray[np.int64]:
        """Return the rows that are of some types, each once, ascending."""
        rows = np.unique(rows)
        return rows[np.isin(np.searchsorted(self._bounds, rows, side="right") - 1, types)]

    def _listed(self, query: Query, types: tuple[int, ...]) -> NDArray[np.int64] | None:
        """Return the rows that a query leaves where they are few; None where they are not."""
        if query.include is not None:
            rows = self._of_types(query.include, types)
            if query.admitted is not None:
                rows = rows[query.admitted.mask[rows]]
        elif query.admitted is not None:
            rows = query.admitted.within(self._bounds, types)
            if len(rows) > FEW:
                return None
        else:
            return None
        return np.setdiff1d(rows, query.exclude, assume_unique=True)

    def _search(self, element: int, query: Query, types: tuple[int, ...]) -> _Search:
        """Plan how deep to look for a query without an include list."""
        count = sum(int(self._bounds[t + 1] - self._bounds[t]) for t in types)
        exclude = self._of_types(query.exclude, types)
        if query.admitted is not None:
            count = len(query.admitted.within(self._bounds, types))
            exclude = exclude[query.admitted.mask[exclude]]
        first = _power_of_two(2 * query.k if len(exclude) else query.k)
        return _Search(
            element=element,
            query=query,
            types=types,
            exclude=exclude,
            available=count - len(exclude),
            depth=min(first, count),
            deepest=min(_power_of_two(query.k + len(exclude)), count),
        )

    def _rank(self, rankings: list[_Ranking]) -> dict[int, Selection]:
        """Answer queries that share one include list."""
        rows = rankings[0].rows
        k = min(max(ranking.query.k for ranking in rankings), max(len(rows), 1))
        vectors = np.stack([ranking.query.vector for ranking in rankings])
        hits = self._exact.search_rows(vectors, k, rows)
        return {
            ranking.element: _first(ranking.query.k, hits_rows, hits_scores, len(rows))
            for ranking, hits_rows, hits_scores in zip(
                rankings, hits.rows, hits.scores, strict=True
            )
        }

    def _look(self, searches: list[_Search]) -> tuple[dict[int, Selection], list[_Search]]:
        """Search once for each filter and depth; return answers, and what must look deeper."""
        groups: defaultdict[_Filter, list[_Search]] = defaultdict(list)
        answers: dict[int, Selection] = {}
        for search in searches:
            if search.available:
                groups[search.types, search.query.admitted, search.depth].append(search)
            else:
                answers[search.element] = Selection(no_rows(), np.empty(0, dtype=np.float32), 0)
        again: list[_Search] = []
        for (types, admitted, depth), group in groups.items():
            vectors = np.stack([search.query.vector for search in group])
            hits = self._index.search(vectors, depth, allowed=self._mask(types, admitted))
            for search, rows, scores in zip(group, hits.rows, hits.scores, strict=True):
                kept = ~np.isin(rows, search.exclude)
                if np.count_nonzero(kept) >= min(search.query.k, search.available):
                    answers[search.element] = _first(
                        search.query.k, rows[kept], scores[kept], search.available
                    )
                else:
                    again.append(search.deeper())
        return answers, again

    def _mask(self, types: tuple[int, ...], admitted: Admission | None) -> NDArray[np.bool_] | None:
        """Mark the rows of some types that are admitted; None where that is all of them."""
        if len(types) == len(self._bounds) - 1:
            return None if admitted is None else admitted.mask
        allowed = np.zeros(len(self._index), dtype=np.bool_)
        for item_type in types:
            part = slice(self._bounds[item_type], self._bounds[item_type + 1])
            allowed[part] = True if admitted is None else admitted.mask[part]
        return allowed


def _first(
    k: int, rows: NDArray[np.int64], scores: NDArray[np.float32], available: int
) -> Selection:
    """Cut one element's hits to k rows, without padding."""
    found = min(k, int(np.count_nonzero(rows != NO_ROW)))
    return Selection(rows[:found].copy(), scores[:found].copy(), available)


def _power_of_two(number: int) -> int:
    """Round up, so that queries of about the same depth share a search."""
    return 1 << (number - 1).bit_length()
