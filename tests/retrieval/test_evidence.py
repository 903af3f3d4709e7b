"""What speaks for a candidate, column by column, by hand and against plain loops."""

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval import evidence
from retrieval.evidence import (
    CLOSEST_AMONG,
    DECAYS,
    EDGE_KINDS,
    HISTORY_LENGTH,
    KINSHIP_DECAY,
    NAMES,
    OF_NEW,
    Catalogue,
    Person,
    gather,
    loudness,
    reach,
)
from retrieval.pairwise import FAINTEST, PairTable

ITEMS = 300
TEXT = 4
"""Columns of the text part, of 10."""
EVERYTHING = np.arange(ITEMS)


def unit_rows(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    vectors = rng.normal(size=(rows, width)).astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@pytest.fixture
def catalogue() -> Catalogue:
    rng = np.random.default_rng(0)
    edges = np.unique(rng.integers(0, ITEMS, (1500, 2)), axis=0)
    weights = rng.normal(size=(len(edges), len(EDGE_KINDS))).astype(np.float32)
    return Catalogue(
        PairTable.from_lists(edges[:, 0], edges[:, 1], weights, ITEMS),
        unit_rows(rng, ITEMS, 6),
        unit_rows(rng, ITEMS, 10),
        TEXT,
        rng.integers(0, 50, ITEMS).astype(np.float32),
        np.sort(rng.integers(0, 3, ITEMS)),
    )


def person_of(*history: int) -> Person:
    """Somebody with a history, newest first, of whole weights."""
    vector = np.array([1, 0, 0, 0, 0, 0], dtype=np.float32)
    rows = np.array(history, dtype=np.int64)
    return Person(vector, rows, np.ones(len(rows), dtype=np.float32))


def drawn_person(length: int) -> Person:
    rng = np.random.default_rng(length)
    history = rng.integers(0, ITEMS, length)
    return Person(unit_rows(rng, 1, 6)[0], history, rng.uniform(0.1, 1, length).astype(np.float32))


def column(
    name: str, catalogue: Catalogue, person: Person, rows: NDArray[np.int64] = EVERYTHING
) -> NDArray[np.float32]:
    gathered = gather(catalogue, person, reach(catalogue, person), rows)
    assert gathered.shape == (len(rows), len(NAMES))
    return gathered[:, NAMES.index(name)]


def test_closest_by_hand(catalogue: Catalogue) -> None:
    catalogue.item_vectors[:4] = 0
    catalogue.item_vectors[:4, :2] = [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-0.8, -0.6]]
    said = column("closest", catalogue, person_of(0, 1), np.array([2, 3, 0]))
    np.testing.assert_allclose(said, [0.8, -0.6, 1.0], atol=1e-6)


def test_closest_looks_at_the_newest_alone(catalogue: Catalogue) -> None:
    history = np.arange(CLOSEST_AMONG + 1)
    target = np.array([CLOSEST_AMONG])  # itself the oldest of the history, so one too old
    assert column("closest", catalogue, person_of(*history), target)[0] < 1 - 1e-3
    assert column("closest", catalogue, person_of(*history[1:]), target)[0] == pytest.approx(1)


def test_without_a_history_nothing_is_close_and_nothing_is_reached(catalogue: Catalogue) -> None:
    nobody = person_of()
    for name in NAMES:
        if name not in ("likeness", "popularity", "affinity", "new", "likeness, new"):
            assert not column(name, catalogue, nobody).any(), name
    np.testing.assert_allclose(column("affinity", catalogue, nobody), np.log(1 / 3), rtol=1e-6)
    np.testing.assert_allclose(
        column("likeness", catalogue, nobody), catalogue.item_vectors[:, 0], atol=1e-6
    )


@pytest.mark.parametrize("length", [1, 7, HISTORY_LENGTH, HISTORY_LENGTH + 30])
def test_edge_columns_equal_plain_loops(catalogue: Catalogue, length: int) -> None:
    person = drawn_person(length)
    table = catalogue.pairs
    expected = np.zeros((ITEMS, len(EDGE_KINDS), len(DECAYS)))
    for place in range(min(length, HISTORY_LENGTH)):
        item = person.history[place]
        for entry in range(table.indptr[item], table.indptr[item + 1]):
            for d, decay in enumerate(DECAYS):
                if decay**place >= FAINTEST:
                    spoken = table.weights[entry] * person.weight[place] * decay**place
                    expected[table.targets[entry], :, d] += spoken
    asked = np.setdiff1d(EVERYTHING, person.history)
    expected /= np.sqrt(np.abs(expected[asked]).max(axis=(0, 2), keepdims=True))
    gathered = gather(catalogue, person, reach(catalogue, person), EVERYTHING)
    got = gathered[:, : len(EDGE_KINDS) * len(DECAYS)]
    np.testing.assert_allclose(got, expected.reshape(ITEMS, -1), atol=1e-4)


def test_four_times_the_weight_is_heard_twice_as_loud_whatever_is_asked(
    catalogue: Catalogue,
) -> None:
    person = drawn_person(7)
    louder = Person(person.vector, person.history, 4 * person.weight)
    for rows in (EVERYTHING, EVERYTHING[:5]):
        quiet, loud = (
            gather(catalogue, each, reach(catalogue, each), rows)[
                :, : len(EDGE_KINDS) * len(DECAYS)
            ]
            for each in (person, louder)
        )
        np.testing.assert_allclose(loud, 2 * quiet, rtol=1e-5)
    everything = gather(catalogue, person, reach(catalogue, person), EVERYTHING)
    np.testing.assert_array_equal(
        gather(catalogue, person, reach(catalogue, person), EVERYTHING[:5])[:, 0], everything[:5, 0]
    )


def test_how_loud_each_kind_speaks_by_hand() -> None:
    weights = np.zeros((3, len(EDGE_KINDS)), dtype=np.float32)
    weights[:, 1] = [0.25, -4.0, 100]
    table = PairTable.from_lists(np.array([1, 2, 0]), np.array([0, 0, 0]), weights, 3)
    history = np.array([0])
    reached = table.reach(history, np.ones(1, dtype=np.float32), np.array(DECAYS, np.float32))
    expected = np.where(np.arange(len(EDGE_KINDS)) == 1, 2.0, 1.0).repeat(len(DECAYS))
    np.testing.assert_array_equal(loudness(reached, history), expected)


@pytest.mark.parametrize("length", [1, 7, HISTORY_LENGTH + 30])
def test_other_columns_equal_plain_loops(catalogue: Catalogue, length: int) -> None:
    person = drawn_person(length)
    heard = min(length, HISTORY_LENGTH)
    mean, total, share = np.zeros(10), 0.0, np.full(3, 1 / 3)
    for place in range(heard):
        weight = float(person.weight[place])
        mean += weight * KINSHIP_DECAY**place * catalogue.known[person.history[place]]
        total += weight * KINSHIP_DECAY**place
        share[catalogue.item_type[person.history[place]]] += weight
    expected = {
        "likeness": catalogue.item_vectors @ person.vector,
        "closest": [
            max(
                float(catalogue.item_vectors[row] @ near) for near in catalogue.item_vectors[newest]
            )
            for newest in (person.history[:CLOSEST_AMONG],)
            for row in range(ITEMS)
        ],
        "kinship": catalogue.known[:, :-TEXT] @ (mean / total)[:-TEXT],
        "text kinship": catalogue.known[:, -TEXT:] @ (mean / total)[-TEXT:],
        "popularity": np.log(1 + catalogue.people),
        "affinity": np.log(share / share.sum())[catalogue.item_type],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(column(name, catalogue, person), values, atol=1e-5, err_msg=name)
    new = catalogue.people == 0
    for name in OF_NEW:
        said = np.where(new, column(name, catalogue, person), 0)
        again = column(f"{name}, new", catalogue, person)
        np.testing.assert_array_equal(again, said, err_msg=name)
    texts = catalogue.known[:, -TEXT:]
    closest = (texts @ texts[person.history[:CLOSEST_AMONG]].T).max(axis=1)
    np.testing.assert_allclose(
        column("closest text, new", catalogue, person), np.where(new, closest, 0), atol=1e-5
    )
    np.testing.assert_array_equal(column("new", catalogue, person), new)
    assert 1 < new.sum() < ITEMS / 10


@pytest.mark.parametrize("dense", [0.0, 2.5, float("inf")])
def test_candidates_may_come_in_any_order(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, dense: float
) -> None:
    """However many rows are multiplied along, and though more are asked of than fit a chunk."""
    monkeypatch.setattr(evidence, "_DENSE", dense)
    monkeypatch.setattr(evidence, "_CHUNK", 7)
    person = drawn_person(30)
    reached = reach(catalogue, person)
    everything = np.concatenate(
        [gather(catalogue, person, reached, EVERYTHING[row : row + 1]) for row in range(ITEMS)]
    )
    rng = np.random.default_rng(1)
    for count in (0, 1, 7, 17, ITEMS):
        rows = rng.permutation(ITEMS)[:count]
        np.testing.assert_allclose(
            gather(catalogue, person, reached, rows), everything[rows], atol=1e-6
        )
