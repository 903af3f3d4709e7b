"""Filters on what items are like: by languages, genres, creators and years to rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from export.generation.layout import NO_YEAR
from export.generation.texts import TextColumn
from features.schema import GENRE_SEPARATOR
from retrieval.admission import Admission, intersection, union
from server.requests import Traits
from server.stores.groups import Groups

KEPT = 8
"""Filters whose rows are kept for the next request that has the same; each takes up to nine bytes
for every item of the catalogue."""


@dataclass(frozen=True, eq=False)
class Admitted:
    """What a filter on attributes lets through."""

    admission: Admission
    unknown: tuple[tuple[str, tuple[str, ...]], ...]
    """By field of the filter, the values that no item has; fields without any are left out."""


class Attributes:
    """Finds the items of one generation by their attributes; threads may share it.

    The rows of an attribute's values are collected when it is first asked for: under a second for a
    million items (docs/performance.md).
    """

    def __init__(self, generation: Generation) -> None:
        self._num_items = len(generation)
        self._year = generation.year
        self._languages = _Lazy(generation.language)
        self._genres = _Lazy(generation.genres, GENRE_SEPARATOR)
        self._creators = _Lazy(generation.creator)
        self.admit = lru_cache(KEPT)(self._admit)
        """Find the items that have some traits; see `_admit`."""

    def warm_up(self) -> None:
        """Collect the rows of every attribute now, so that no request has to wait for it."""
        for each in (self._languages, self._genres, self._creators):
            each.groups()

    def by_creator(self, creator: str) -> NDArray[np.int32]:
        """Return the rows of a creator, ascending; none for an empty or unknown one."""
        return self._creators.groups().members([creator])[0]

    def _admit(self, traits: Traits) -> Admitted:
        """Find the items that have some traits, and name the values that no item has.

        Values of one field are alternatives, but of `all_genres`; the fields hold together. A field
        whose values are all unknown lets nothing through, and neither does one unknown value of
        `all_genres`.
        """
        unknown: list[tuple[str, tuple[str, ...]]] = []
        lists = list(self._lists(traits, unknown))
        rows = intersection(lists) if lists else np.arange(self._num_items)
        return Admitted(Admission(rows, self._num_items), tuple(unknown))

    def _lists(
        self, traits: Traits, unknown: list[tuple[str, tuple[str, ...]]]
    ) -> Iterator[NDArray[np.int64]]:
        for field, values, lazy in (
            ("languages", traits.languages, self._languages),
            ("genres", traits.genres, self._genres),
            ("creators", traits.creators, self._creators),
        ):
            if values:
                members = _members(field, values, lazy.groups(), unknown)
                yield union([rows for rows in members if len(rows)] or members, self._num_items)
        if traits.all_genres:
            groups = self._genres.groups()
            members = _members("all_genres", traits.all_genres, groups, unknown)
            yield intersection([rows.astype(np.int64) for rows in members])
        if traits.year_from is not None or traits.year_to is not None:
            yield self._of_years(traits.year_from, traits.year_to)

    def _of_years(self, first: int | None, last: int | None) -> NDArray[np.int64]:
        """Find the items of some years; one without a year is of none."""
        first = NO_YEAR + 1 if first is None else first
        last = int(np.iinfo(np.int32).max) if last is None else last
        return np.flatnonzero((self._year >= first) & (self._year <= last))


class _Lazy:
    """The groups of a column, made when they are first asked for, by one thread."""

    def __init__(self, column: TextColumn, separator: str | None = None) -> None:
        self._column = column
        self._separator = separator
        self._lock = Lock()
        self._groups: Groups | None = None

    def groups(self) -> Groups:
        """Give the groups."""
        if self._groups is None:
            with self._lock:
                if self._groups is None:
                    self._groups = Groups.of(self._column, self._separator)
        return self._groups


def _members(
    field: str,
    values: Sequence[str],
    groups: Groups,
    unknown: list[tuple[str, tuple[str, ...]]],
) -> list[NDArray[np.int32]]:
    """Look up the rows of each value, and note those that have none."""
    members = groups.members(values)
    missing = [value for value, rows in zip(values, members, strict=True) if not len(rows)]
    if missing:
        unknown.append((field, tuple(dict.fromkeys(missing))))
    return members
