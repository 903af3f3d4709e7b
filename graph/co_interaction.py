"""Co-interaction: how many people chose both of two items, counted in bounded memory."""

import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from graph.errors import GraphError
from graph.lists import Lists
from graph.settings import GraphSettings

_Part = dict[str, NDArray[np.float64]]

_CHUNK = """
    with counted as (
        select a.item as item, b.item as other, count(*) as users
        from chosen a join chosen b using (person)
        where a.item >= $first and a.item < $last and b.item <> a.item
        group by a.item, b.item
        having count(*) >= $min_users
    ), weighed as (
        select counted.item, other, far.type as type, users, cast(
                users / (pow(cast(own.people as double) * far.people, $power) + $shrinkage)
            as float) as weight,
            hash(counted.item * $num_items + other) as draw
        from counted
        join items own on own.item = counted.item
        join items far on far.item = counted.other
    )
    select item, other, type, users, weight from weighed
    qualify row_number() over (partition by item, type order by {best}) <= $cap
"""
_BEST = {"popularity": "weight desc, other", "plain": "draw, other"}
"""Which edges a list keeps: the heaviest, or a draw that is the same in every run."""


def co_interaction_lists(
    person: NDArray[np.int64],
    item: NDArray[np.int64],
    item_type: NDArray[np.int64],
    people: NDArray[np.int64],
    settings: GraphSettings,
    work_folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Lists]:
    """Count for each pair of items the people who chose both; keep the heaviest per type.

    Under plain weighting every edge weighs 1 and the lists keep a draw instead.

    Pairs are counted for a stretch of items at a time, so that memory follows the chunk and
    not the data set. Counts are whole numbers and ties go by row, so the answer depends
    neither on the order of the rows nor on the number of threads.

    Shapes:
        person, item: (P,), each person's distinct items.
        item_type, people: (N,), of every item; `people` may count more than `person` holds.
        returns: one Lists per item type, in the order of the types.

    Raises:
        GraphError: the memory limit is no amount of memory or too little for a chunk, or
            the disk is full.
    """
    parts: list[_Part] = []
    chunks = _chunks(person, item, len(item_type), settings.pairs_per_chunk)
    try:
        with duckdb.connect() as base:
            _prepare(base, settings.memory_limit, work_folder)
            _load(base, "chosen", {"person": person, "item": item})
            numbers = np.arange(len(item_type))
            _load(base, "items", {"item": numbers, "type": item_type, "people": people})
            for done, (first, last) in enumerate(chunks, start=1):
                parts.append(_count(base, settings, first, last, len(item_type)))
                if on_progress is not None:
                    on_progress(done, len(chunks))
    except duckdb.Error as error:
        raise GraphError(
            f"counting pairs with memory_limit {settings.memory_limit!r} in {work_folder}: {error}"
        ) from error
    return [_lists(parts, number, len(item_type)) for number in range(int(item_type[-1]) + 1)]


def _prepare(base: duckdb.DuckDBPyConnection, memory_limit: str, work_folder: Path) -> None:
    base.execute("set memory_limit = $limit", {"limit": memory_limit})
    base.execute("set temp_directory = $folder", {"folder": str(work_folder)})
    base.execute("set preserve_insertion_order = false")


def _load(
    base: duckdb.DuckDBPyConnection, name: str, columns: dict[str, NDArray[np.int64]]
) -> None:
    base.register(f"{name}_columns", columns)
    base.execute(f"create table {name} as from {name}_columns")
    base.unregister(f"{name}_columns")


def _count(
    base: duckdb.DuckDBPyConnection, settings: GraphSettings, first: int, last: int, num_items: int
) -> _Part:
    values = {
        "first": first,
        "last": last,
        "min_users": settings.min_users,
        "power": settings.popularity_power,
        "shrinkage": settings.shrinkage,
        "cap": settings.cap,
        "num_items": num_items,
    }
    part = base.execute(_CHUNK.format(best=_BEST[settings.weighting]), values).fetchnumpy()
    if settings.weighting == "plain":
        part["weight"] = np.ones_like(part["weight"])
    return part


def _lists(parts: list[_Part], number: int, num_items: int) -> Lists:
    """Sort the edges towards one item type into lists."""
    chosen = [part["type"] == number for part in parts]

    def column(name: str) -> NDArray[np.float64]:
        values = [part[name][rows] for part, rows in zip(parts, chosen, strict=True)]
        return np.concatenate([np.empty(0), *values])

    return Lists.of(
        column("item").astype(np.int64),
        column("other").astype(np.int64),
        column("weight"),
        column("users").astype(np.int64),
        num_items,
    )


def _chunks(
    person: NDArray[np.int64], item: NDArray[np.int64], num_items: int, size: int
) -> list[tuple[int, int]]:
    """Cut the items into stretches whose self-joins make about `size` rows each."""
    if not len(item):
        return []
    per_person = np.bincount(person)
    pairs = np.bincount(item, weights=per_person[person], minlength=num_items).cumsum()
    marks = np.arange(size, pairs[-1], size)
    inner = np.searchsorted(pairs, marks, side="right")
    ends = np.unique(np.concatenate([[0], inner, [num_items]])).tolist()
    return list(itertools.pairwise(ends))
