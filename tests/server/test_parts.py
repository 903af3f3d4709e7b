"""Networks compute a few rows at a time; nobody can tell from the answers."""

import numpy as np
import pytest
from numpy.typing import NDArray

from export.generation import Generation
from features.schema import ItemRecord
from server.engine import Engine
from server.requests import EmbeddedText, History, NewItem, Person
from server.runtime import ROWS_AT_ONCE, Models, UserInputs, in_parts
from server.stopwatch import Stopwatch

MANY = 3 * ROWS_AT_ONCE + 1


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows the networks were given, call by call."""
    given: list[int] = []
    users, graph = Models.embed_users, Models.embed_graph

    def embed_users(self: Models, people: UserInputs) -> NDArray[np.float32]:
        given.append(len(people.features))
        return users(self, people)

    def embed_graph(
        self: Models,
        text: NDArray[np.float32],
        item_type: NDArray[np.int64],
        neighbours: tuple[NDArray[np.float32], ...],
        mask: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        given.append(len(text))
        return graph(self, text, item_type, neighbours, mask)

    monkeypatch.setattr(Models, "embed_users", embed_users)
    monkeypatch.setattr(Models, "embed_graph", embed_graph)
    return given


def test_parts_are_whole_in_order_and_of_at_most_that_many() -> None:
    assert [list(part) for part in in_parts(range(7), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert list(in_parts([], 3)) == []


def test_people_get_their_own_vectors_whoever_is_in_the_batch(
    engine: Engine, generation: Generation, rows: list[int]
) -> None:
    ids = [generation.item_ids.id(row) for row in range(len(generation.item_ids))]
    rng = np.random.default_rng(0)
    lengths = [1, len(ids), *rng.integers(1, len(ids), MANY - 2)]
    people = [
        Person(history=History.chosen([ids[row] for row in rng.permutation(len(ids))[:length]]))
        for length in rng.permutation(lengths)
    ]
    states = [engine.users.state(person) for person in people]
    together = engine.users.vectors(states)
    assert max(rows) == ROWS_AT_ONCE
    assert sum(rows) == MANY
    alone = np.concatenate([engine.users.vectors([state]) for state in states])
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(alone[0] - alone[-1]).max() > 1e-3
    assert engine.users.vectors([]).shape == (0, alone.shape[1])


def test_new_items_get_their_own_vectors_whatever_is_in_the_batch(
    engine: Engine, generation: Generation, rows: list[int]
) -> None:
    width = generation.manifest.dimensions.text
    rng = np.random.default_rng(0)
    item_type = generation.manifest.item_types[0]
    tasks = []
    for number in range(MANY):
        vector = rng.normal(size=width).astype(np.float32)
        near = rng.permutation(len(generation.item_ids))[: number % 5]
        related = tuple(generation.item_ids.id(row) for row in near)
        record = ItemRecord(item_type, f"A title {number}")
        item = NewItem(record, "A title.", related)
        tasks.append(EmbeddedText(item, vector / np.linalg.norm(vector), "hash"))
    together = engine.items.embed(tasks, Stopwatch())
    assert max(rows) == ROWS_AT_ONCE
    assert sum(rows) == MANY
    alone = [item for task in tasks for item in engine.items.embed([task], Stopwatch())]
    assert [each.neighbours for each in together] == [each.neighbours for each in alone]
    both = zip(together, alone, strict=True)
    assert max(np.abs(ours.vector - theirs.vector).max() for ours, theirs in both) < 1e-5
