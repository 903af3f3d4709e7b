"""Interactions and item attributes -> the item-item graph."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from numpy.typing import NDArray

from graph.co_interaction import co_interaction_lists
from graph.content import content_lists
from graph.errors import GraphError
from graph.item_graph import ItemGraph
from graph.lists import Lists
from graph.settings import GraphSettings

__all__ = ["GraphSettings", "ItemGraph", "build_graph", "popularity", "strong_pairs"]

DAY_S = 86_400


def build_graph(
    items: pl.DataFrame,
    interactions: pl.DataFrame,
    settings: GraphSettings | None = None,
    *,
    work_folder: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> ItemGraph:
    """Build the graph of a data set's items from the interactions given, all of them.

    Whoever holds interactions out passes the rest: nothing is held out here. Strong signals
    alone make edges. Which of a person's items are the newest follows `order`, so the answer
    does not depend on how the rows are sorted.

    `work_folder` takes what does not fit in memory (a temporary folder if None);
    `on_progress` hears of chunks done and chunks in all.

    Raises:
        GraphError: a content relation is not a column of the items or one of lists, a relation to
            keep or leave out is none of the graph's, or a window is asked for where no interaction
            has a time.
    """
    settings = settings or GraphSettings()
    content = settings.content_relations
    _check_content(items, content)
    types = tuple(items["item_type"].unique().sort().to_list())
    item_type = items["item_type"].rank("dense").to_numpy().astype(np.int64) - 1
    pairs = strong_pairs(interactions, settings.window_days)
    people = _people(pairs, len(items))
    newest = pairs.filter(
        pl.col("order").rank("ordinal", descending=True).over("user_row") <= settings.max_user_items
    )
    with _spill_folder(work_folder) as spill:
        slots = co_interaction_lists(
            newest["user_row"].to_numpy(),
            newest["item_row"].to_numpy(),
            item_type,
            people,
            settings,
            spill,
            on_progress,
        )
    slots += [content_lists(items[name], people, settings.cap) for name in content]
    together = Lists.joined(slots)
    graph = ItemGraph(
        types,
        content,
        item_type,
        together.indptr,
        together.neighbours,
        together.weights,
        together.users,
        people,
    )
    return _choose_relations(graph, settings)


def _check_content(items: pl.DataFrame, relations: Sequence[str]) -> None:
    for name in relations:
        if name not in items.columns:
            raise GraphError(
                f"content_relations: {name!r} is not a column of the items, "
                f"which have {', '.join(items.columns)}"
            )
        if items[name].dtype.is_nested():
            single = [other for other in items.columns if not items[other].dtype.is_nested()]
            raise GraphError(
                f"content_relations: {name!r} holds lists; expected columns of one value each, "
                f"some of {', '.join(single)}"
            )


def _choose_relations(graph: ItemGraph, settings: GraphSettings) -> ItemGraph:
    names = graph.relations.names
    unknown = sorted({*settings.without, *settings.only} - set(names))
    if unknown:
        raise GraphError(f"relation {unknown[0]!r}, expected some of {', '.join(names)}")
    kept = [name for name in names if settings.keeps(name)]
    return graph if len(kept) == len(names) else graph.of_relations(kept)


def strong_pairs(interactions: pl.DataFrame, window_days: float | None = None) -> pl.DataFrame:
    """Give each person's distinct strong items inside the window.

    The window ends with the newest interaction given; under a window, rows without a time
    do not count, for they cannot be shown to lie inside.

    Shapes:
        returns: columns user_row, item_row and order (the newest of the pair), sorted.

    Raises:
        GraphError: a window, and no interaction with a time.
    """
    return (
        within(interactions, window_days)
        .filter(pl.col("role") == "strong")
        .group_by("user_row", "item_row")
        .agg(pl.col("order").max())
        .sort("user_row", "item_row")
    )


def within(interactions: pl.DataFrame, window_days: float | None) -> pl.DataFrame:
    """Leave the interactions of the last days; None leaves all.

    Raises:
        GraphError: a window, and no interaction with a time.
    """
    if window_days is None:
        return interactions
    newest = interactions["timestamp"].max()
    if not isinstance(newest, int):
        raise GraphError("window_days: no interaction has a timestamp")
    return interactions.filter(pl.col("timestamp") > newest - int(window_days * DAY_S))


@contextmanager
def _spill_folder(work_folder: Path | None) -> Iterator[Path]:
    """Lend a folder for what does not fit in memory; empty before, gone afterwards."""
    if work_folder is None:
        with TemporaryDirectory(prefix="nearfield-pairs-") as temporary:
            yield Path(temporary)
        return
    folder = work_folder / "pairs.spill"  # always the same, so that a killed run leaves one
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def popularity(interactions: pl.DataFrame, num_items: int) -> NDArray[np.int64]:
    """Count the distinct people with a strong signal for each item. Shapes: returns (N,)."""
    return _people(strong_pairs(interactions), num_items)


def _people(pairs: pl.DataFrame, num_items: int) -> NDArray[np.int64]:
    return np.bincount(pairs["item_row"].to_numpy(), minlength=num_items).astype(np.int64)
