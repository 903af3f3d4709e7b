"""The built graph against hand-computed worlds and against a slow count."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from graph.build import GraphSettings, build_graph, popularity
from graph.errors import GraphError
from graph.item_graph import ItemGraph
from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.tables.folders import NOW, Event, dataset_of, events_table, items_table, write_folder

DAY = 86_400
IDS = ["b0", "b1", "b2", "f0", "f1", "f2", "f3"]
PLAIN = GraphSettings(min_users=1, shrinkage=0.0, content_relations=())


def random_dataset(folder: Path, seed: int, *, people: int = 30, items: int = 14) -> Dataset:
    rng = np.random.default_rng(seed)
    ids = [f"{'bf'[number % 2]}{number}" for number in range(items)]
    events = [
        (f"u{user}", ids[item], int(rng.integers(1, 1000)))
        for user in range(people)
        for item in rng.choice(items, rng.integers(1, 9))
    ]
    return dataset_of(folder, ids, events)


def neighbours(built: ItemGraph, row: int, slot: int) -> list[int]:
    return [one for one in built.dense(np.array([row]), 99)[0, slot].tolist() if one >= 0]


def assert_same(one: ItemGraph, other: ItemGraph) -> None:
    for name in ("item_type", "indptr", "neighbours", "weights", "users", "people"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def slow_graph(dataset: Dataset, settings: GraphSettings) -> dict[tuple[int, int], list[int]]:
    """Lists per (slot, row), counted pair by pair."""
    chosen: dict[int, dict[int, int]] = {}
    for user, item, order in dataset.interactions.select(
        "user_row", "item_row", "order"
    ).iter_rows():
        chosen.setdefault(user, {})[item] = order
    people = Counter(item for items in chosen.values() for item in items)
    users: Counter[tuple[int, int]] = Counter()
    for items in chosen.values():
        newest = sorted(items, key=lambda one: -items[one])[: settings.max_user_items]
        users.update(combinations(sorted(newest), 2))
    lists: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for (a, b), count in users.items():
        if count >= settings.min_users:
            popular = (people[a] * people[b]) ** settings.popularity_power
            weight = float(np.float32(count / (popular + settings.shrinkage)))
            for source, target in ((a, b), (b, a)):
                slot = int(dataset.item_type[target])
                lists.setdefault((slot, source), []).append((-weight, target))
    return {
        key: [target for _, target in sorted(entries)[: settings.cap]]
        for key, entries in lists.items()
    }


def test_two_people_who_share_two_items(tmp_path: Path) -> None:
    events = [("ann", "b0", 1), ("ann", "f0", 2), ("bob", "b0", 1), ("bob", "f0", 2)]
    events += [("bob", "f1", 3), ("eve", "f1", 1)]
    dataset = dataset_of(tmp_path, IDS, events)
    built = build_graph(dataset.items, dataset.interactions, PLAIN)
    assert built.people.tolist() == [2, 0, 0, 2, 2, 0, 0]
    assert neighbours(built, 0, 1) == [3, 4]  # f0 by two people, f1 by one
    assert built.weights[built.indptr[7] : built.indptr[8]].tolist() == [1.0, 0.5]
    assert built.users[built.indptr[7] : built.indptr[8]].tolist() == [2, 1]
    assert neighbours(built, 3, 0) == [0]
    assert neighbours(built, 1, 0) == []


def test_an_edge_needs_the_least_number_of_people(tmp_path: Path) -> None:
    events = [("ann", "b0", 1), ("ann", "f0", 2), ("bob", "b0", 1), ("bob", "f0", 2)]
    dataset = dataset_of(tmp_path, IDS, [*events, ("bob", "f1", 3)])
    settings = GraphSettings(min_users=2, content_relations=())
    built = build_graph(dataset.items, dataset.interactions, settings)
    assert neighbours(built, 0, 1) == [3]
    assert len(built.edges("film-film")) == 0
    assert built.users.min() == 2


@pytest.mark.parametrize(
    "settings",
    [
        PLAIN,
        GraphSettings(min_users=2, content_relations=()),
        GraphSettings(min_users=1, cap=2, popularity_power=1.0, content_relations=()),
        GraphSettings(min_users=1, popularity_power=0.0, content_relations=()),
        GraphSettings(min_users=1, max_user_items=3, content_relations=()),
    ],
)
@pytest.mark.parametrize("pairs_per_chunk", [10_000_000, 40])
def test_the_graph_is_what_a_slow_count_finds(
    tmp_path: Path,
    settings: GraphSettings,
    pairs_per_chunk: int,
) -> None:
    dataset = random_dataset(tmp_path, seed=2)
    chunks: list[int] = []
    built = build_graph(
        dataset.items,
        dataset.interactions,
        replace(settings, pairs_per_chunk=pairs_per_chunk),
        on_progress=lambda done, total: chunks.append(total),
    )
    expected = slow_graph(dataset, settings)
    found = {
        (slot, row): lists
        for slot in range(2)
        for row in range(len(dataset.items))
        if (lists := neighbours(built, row, slot))
    }
    assert found == expected
    assert (len(chunks) > 1) is (pairs_per_chunk == 40)
    assert set(chunks) == {len(chunks)}


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    dataset = random_dataset(tmp_path, seed=3)
    mixed = dataset.interactions.sample(fraction=1.0, shuffle=True, seed=1)
    assert not mixed.equals(dataset.interactions)
    assert_same(
        build_graph(dataset.items, dataset.interactions, PLAIN),
        build_graph(dataset.items, mixed, PLAIN),
    )


def test_a_person_who_repeats_an_item_counts_once(tmp_path: Path) -> None:
    events = [("ann", "b0", time) for time in range(1, 9)] + [("ann", "f0", 9)]
    dataset = dataset_of(tmp_path, IDS, events)
    built = build_graph(dataset.items, dataset.interactions, PLAIN)
    assert built.people.tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert built.users.tolist() == [1, 1]


def test_only_the_newest_items_of_a_long_list_make_pairs(tmp_path: Path) -> None:
    events = [("ann", one, time) for time, one in enumerate(["b0", "f0", "b1", "f1"])]
    dataset = dataset_of(tmp_path, IDS, [*events, ("ann", "b0", 99)])
    settings = GraphSettings(min_users=1, max_user_items=2, content_relations=())
    built = build_graph(dataset.items, dataset.interactions, settings)
    names = built.relations.names
    edges = {name: built.edges(name) for name in names}
    found = {name: list(zip(e.left, e.right, strict=True)) for name, e in edges.items()}
    assert found == {"book-book": [], "book-film": [(0, 4)], "film-film": []}
    assert built.people.tolist() == [1, 1, 0, 1, 1, 0, 0]


def test_weak_and_negative_signals_make_no_edge(tmp_path: Path) -> None:
    events = [(user, item, 1) for user in ("ann", "bob") for item in ("b0", "f0", "f1")]
    dataset = dataset_of(
        tmp_path,
        IDS,
        events,
        toml='[signals]\nplay = "strong"\nfollow = "weak"\nskip = "negative"\n',
        signal=["play", "play", "follow", "play", "play", "skip"],
    )
    built = build_graph(dataset.items, dataset.interactions, PLAIN)
    assert neighbours(built, 0, 1) == [3]
    assert built.people.tolist() == [2, 0, 0, 2, 0, 0, 0]
    assert popularity(dataset.interactions, 7).tolist() == built.people.tolist()


def test_a_window_hides_what_is_older(tmp_path: Path) -> None:
    events = [("ann", "b0", DAY), ("ann", "f0", 10 * DAY), ("ann", "f1", 11 * DAY)]
    dataset = dataset_of(tmp_path, IDS, [*events, ("ann", "f2", None)])
    settings = GraphSettings(min_users=1, window_days=5.0, content_relations=())
    built = build_graph(dataset.items, dataset.interactions, settings)
    assert built.people.tolist() == [0, 0, 0, 1, 1, 0, 0]
    assert len(built.edges("book-film")) == 0
    assert len(built.edges("film-film")) == 1


def test_a_window_without_any_time_is_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, IDS, [("ann", "b0", None)])
    with pytest.raises(GraphError, match="window_days: no interaction has a timestamp"):
        build_graph(dataset.items, dataset.interactions, GraphSettings(window_days=90.0))


@pytest.mark.parametrize(
    ("ids", "events"),
    [
        (["b0", "f0"], [("ann", "b0", 1), ("ann", "f0", 2)]),  # one user
        (["b0", "b1"], [("ann", "b0", 1), ("bob", "b1", 2)]),  # one type
        (["b0"], [("ann", "b0", 1), ("bob", "b0", 2)]),  # a lone item
    ],
)
def test_a_world_too_small_for_edges_gives_an_empty_graph(
    tmp_path: Path, ids: list[str], events: list[Event]
) -> None:
    dataset = dataset_of(tmp_path, ids, events)
    built = build_graph(dataset.items, dataset.interactions)
    assert len(built.neighbours) == 0
    assert built.degree(np.arange(len(ids))).sum() == 0


def test_an_item_type_with_a_single_item_has_neighbours_in_the_other(tmp_path: Path) -> None:
    events = [(user, item, 1) for user in ("ann", "bob") for item in ("b0", "f0", "f1")]
    dataset = dataset_of(tmp_path, ["b0", "f0", "f1"], events)
    built = build_graph(dataset.items, dataset.interactions)
    assert neighbours(built, 0, 0) == []
    assert neighbours(built, 0, 1) == [1, 2]
    assert len(built.edges("book-book")) == 0


def test_items_of_one_creator_meet_across_types_the_popular_first(tmp_path: Path) -> None:
    items = items_table("b0", "b1", "f0", "f1", "f2").with_columns(
        creator=pl.Series(["Ann Lee", "", "ann  lee ", "Bob", "ANN LEE"])
    )
    events = [("u1", "f2", 1), ("u2", "f2", 1), ("u1", "b0", 2)]
    write_folder(tmp_path, items=items, interactions=events_table(events))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    built = build_graph(dataset.items, dataset.interactions)
    creator = 2
    assert neighbours(built, 0, creator) == [4, 2]
    assert neighbours(built, 2, creator) == [4, 0]
    assert neighbours(built, 4, creator) == [0, 2]
    assert neighbours(built, 1, creator) == []
    assert neighbours(built, 3, creator) == []
    start = built.indptr[creator * 5]
    assert built.weights[start : start + 2].tolist() == [0.75, 0.25]
    assert built.users[start:].sum() == 0


def test_a_large_group_keeps_the_cap_and_never_the_node_itself(tmp_path: Path) -> None:
    ids = [f"b{number:02d}" for number in range(20)]
    items = items_table(*ids).with_columns(creator=pl.lit("house"))
    events = [(f"u{user}", ids[item], 1) for item in range(20) for user in range(item)]
    write_folder(tmp_path, items=items, interactions=events_table(events))
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    settings = GraphSettings(cap=3)
    built = build_graph(dataset.items, dataset.interactions, settings)
    lists = [neighbours(built, row, 1) for row in range(20)]
    assert lists[:16] == [[19, 18, 17]] * 16
    assert lists[16:] == [[19, 18, 17], [19, 18, 16], [19, 17, 16], [18, 17, 16]]


def test_a_content_relation_that_is_no_column_is_named(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, IDS, [("ann", "b0", 1)])
    settings = GraphSettings(content_relations=("publisher",))
    with pytest.raises(GraphError, match="content_relations: 'publisher' is not a column"):
        build_graph(dataset.items, dataset.interactions, settings)


def test_a_content_relation_of_lists_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, IDS, [("ann", "b0", 1)])
    settings = GraphSettings(content_relations=("creator", "genres"))
    with pytest.raises(GraphError, match=r"'genres' holds lists; .* one value .*creator, year"):
        build_graph(dataset.items, dataset.interactions, settings)


@pytest.mark.parametrize(
    "change",
    [
        {"min_users": 0},
        {"cap": 0},
        {"popularity_power": -0.1},
        {"shrinkage": float("nan")},
        {"max_user_items": 1},
        {"window_days": 0.0},
    ],
)
def test_settings_without_a_meaning_are_refused_by_name(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{next(iter(change))}: expected"):
        GraphSettings(**change)


def test_nothing_is_left_in_the_work_folder(tmp_path: Path) -> None:
    dataset = random_dataset(tmp_path / "data", seed=1)
    work = tmp_path / "work"
    (work / "pairs.spill").mkdir(parents=True)
    (work / "pairs.spill" / "left by a killed run").touch()
    build_graph(dataset.items, dataset.interactions, PLAIN, work_folder=work)
    assert list(work.iterdir()) == []


def test_short_memory_changes_no_edge(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    ids = [f"b{number}" for number in range(3000)]
    events = [
        (f"u{user}", ids[item], 1)
        for user in range(400)
        for item in rng.choice(3000, 60, replace=False)
    ]
    dataset = dataset_of(tmp_path / "data", ids, events)
    short = GraphSettings(min_users=1, content_relations=(), memory_limit="48MB")
    roomy = GraphSettings(min_users=1, content_relations=(), memory_limit="1GB")
    assert_same(
        build_graph(dataset.items, dataset.interactions, short),
        build_graph(dataset.items, dataset.interactions, roomy),
    )


@pytest.mark.parametrize("limit", ["1MB", "plenty"])
def test_a_memory_limit_that_will_not_do_is_named(tmp_path: Path, limit: str) -> None:
    dataset = random_dataset(tmp_path, seed=1)
    with pytest.raises(GraphError, match=f"memory_limit '{limit}'"):
        build_graph(dataset.items, dataset.interactions, replace(PLAIN, memory_limit=limit))
