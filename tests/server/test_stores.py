from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from export.generation import Generation
from graph.content import content_lists
from server.answers import NoticeKind, Provenance
from server.engine import Engine
from server.requests import Event, History, Person
from server.stores.catalogue import Catalogue
from server.stores.people import People, history_cut
from tests.support.generation import TinyWorld


@pytest.fixture(scope="module")
def catalogue(engine: Engine) -> Catalogue:
    return engine.catalogue


@pytest.fixture(scope="module")
def people(generation: Generation, catalogue: Catalogue) -> People:
    return People(generation, catalogue, most_events=12)


def test_creators_items_are_those_that_the_graph_would_join(
    generation: Generation, catalogue: Catalogue
) -> None:
    spelling = "  SCIENCE \t House"
    creators = pl.Series([*generation.creator, spelling])
    people = np.append(generation.popularity.astype(np.int64), 0)
    lists = content_lists(creators, people, cap=8)
    joined = lists.neighbours[lists.indptr[-2] : lists.indptr[-1]].tolist()
    assert len(joined) == 8
    assert catalogue.by_creator(spelling, 8).tolist() == joined


@pytest.mark.parametrize("creator", ["", "   ", "nobody", "zzz", "\x00"])
def test_unknown_creator_has_no_items(catalogue: Catalogue, creator: str) -> None:
    assert not len(catalogue.by_creator(creator, 8))


def test_degree_counts_the_neighbours_of_every_list(
    generation: Generation, catalogue: Catalogue
) -> None:
    slots = range(generation.manifest.num_slots)
    for row in range(len(generation)):
        counted = sum(len(generation.neighbours(row, slot).rows) for slot in slots)
        assert catalogue.degree[row] == counted


def test_rows_ids_types_and_titles_agree(catalogue: Catalogue, world: TinyWorld) -> None:
    for row, (item_id, record) in enumerate(zip(world.item_ids, world.records, strict=True)):
        assert catalogue.row(item_id) == row
        assert catalogue.item_id(row) == item_id
        assert catalogue.type_name(row) == record.item_type
        assert catalogue.title(row) == record.title
    assert catalogue.row("nobody") is None
    found = catalogue.find(["podcast-01", "x", "podcast-01", "y"])
    assert found.rows.tolist() == [31, 31]
    assert found.unknown == ["x", "y"]


def test_inline_events_come_after_stored_ones_and_all_are_newest_first(
    people: People, world: TinyWorld
) -> None:
    state = people.state(
        Person("user-2", History.of([Event("podcast-00", 2.0), Event("podcast-01", 0.5)]))
    )
    assert state.rows.tolist() == [31, 30, *world.histories[2][::-1].tolist()]
    assert state.weights.tolist() == [0.5, 2.0, *[1.0] * 10]
    assert state.provenance is Provenance.GRAPH


def test_what_weighs_nothing_is_seen_and_not_heard(people: People) -> None:
    state = people.state(Person("", History.of([Event("podcast-00", 0.0), Event("podcast-01")])))
    assert state.rows.tolist() == [31]
    assert state.seen.tolist() == [30, 31]
    assert state.provenance is Provenance.INDUCTIVE


def test_what_was_only_looked_at_is_heard_and_not_seen(
    generation: Generation, catalogue: Catalogue, world: TinyWorld
) -> None:
    seen = generation.history_seen.copy()
    start = generation.history_indptr[2]
    seen[start : start + 3] = False
    people = People(replace(generation, history_seen=seen), catalogue, most_events=12)
    looked = Event("podcast-00", 0.5, seen=False)
    state = people.state(Person("user-2", History.of([looked, Event("podcast-01")])))
    assert state.rows.tolist() == [31, 30, *world.histories[2][::-1].tolist()]
    assert state.seen.tolist() == [*world.histories[2][3:].tolist(), 31]


def test_long_history_keeps_its_newest_part(people: People) -> None:
    history = History.chosen([f"podcast-{n:02d}" for n in range(20)])
    state = people.state(Person("user-2", history))
    assert state.rows.tolist() == list(range(49, 37, -1))
    assert len(state.seen) == 30
    assert state.events == 30
    assert not state.notices
    (notice,) = history_cut(state.events, 12)
    assert notice.kind is NoticeKind.HISTORY_CUT
    assert history_cut(12, 12) == ()
