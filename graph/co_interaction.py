"""Co-interaction: how many people chose both of two items, counted in bounded memory."""

import itertools
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from graph.lists import Lists
from graph.settings import GraphSettings

PAIRS_PER_CHUNK = 10_000_000
"""Rows that the self-join of a chunk may make. Larger is a little faster and needs more memory."""

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
            as float) as weight
        from counted
        join items own on own.item = counted.item
        join items far on far.item = counted.other
    )
    select item, other, type, users, weight from weighed
    qualify row_number() over (partition by item, type order by weight desc, other) <= $cap
"""


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

    Pairs are counted for a stretch of items at a time, so that memory follows the chunk and
    not the data set. Counts are whole numbers and ties go by row, so the answer depends
    neither on the order of the rows nor on the number of threads.

    Shapes:
        person, item: (P,), each person's distinct items.
        item_type, people: (N,), of every item; `people` may count more than `person` holds.
        returns: one Lists per item type, in the order of the types.
    """
    chunks = _chunks(person, item, len(item_type))
    parts: list[_Part] = []
    with duckdb.connect() as base:
        base.execute("set memory_limit = $limit", {"limit": settings.memory_limit})
        base.execute("set temp_directory = $folder", {"folder": str(work_folder)})
        base.execute("set preserve_insertion_order = false")
        rows = {"item": np.arange(len(item_type)), "type": item_type, "people": people}
        base.register("chosen_rows", {"person": person, "item": item})
        base.register("item_rows", rows)
        base.execute("create table chosen as from chosen_rows")
        base.execute("create table items as from item_rows")
        values = {
            "min_users": settings.min_users,
            "power": settings.popularity_power,
            "shrinkage": settings.shrinkage,
            "cap": settings.cap,
        }
        for done, (first, last) in enumerate(chunks, start=1):
            parts.append(
                base.execute(_CHUNK, {**values, "first": first, "last": last}).fetchnumpy()
            )
            if on_progress is not None:
                on_progress(done, len(chunks))

    return [_lists(parts, number, len(item_type)) for number in range(int(item_type[-1]) + 1)]


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
    person: NDArray[np.int64], item: NDArray[np.int64], num_items: int
) -> list[tuple[int, int]]:
    """Cut the items into stretches whose self-joins make about PAIRS_PER_CHUNK rows each."""
    if not len(item):
        return []
    per_person = np.bincount(person)
    pairs = np.bincount(item, weights=per_person[person], minlength=num_items).cumsum()
    marks = np.arange(PAIRS_PER_CHUNK, pairs[-1], PAIRS_PER_CHUNK)
    inner = np.searchsorted(pairs, marks, side="right")
    ends = np.unique(np.concatenate([[0], inner, [num_items]])).tolist()
    return list(itertools.pairwise(ends))
