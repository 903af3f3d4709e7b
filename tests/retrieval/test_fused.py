"""Scores without columns are those of the columns, candidate by candidate."""

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.evidence import EDGE_KINDS, NAMES, Catalogue, Person, gather, reach
from retrieval.fused import FusedRanker, best_places
from retrieval.pairwise import PairTable

ITEMS = 400
GRAPH, TEXT = 24, 16
NOWHERE = np.empty(0, dtype=np.int64)
EVERYTHING = np.arange(ITEMS)


def unit_rows(rng: np.random.Generator, rows: int, width: int) -> NDArray[np.float32]:
    vectors = rng.normal(size=(rows, width)).astype(np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def draw_catalogue(seed: int) -> Catalogue:
    """Items of three types, every seventh of which nobody chose yet."""
    rng = np.random.default_rng(seed)
    edges = np.unique(rng.integers(0, ITEMS, (3000, 2)), axis=0)
    weights = rng.normal(size=(len(edges), len(EDGE_KINDS))).astype(np.float32)
    people = rng.integers(1, 50, ITEMS).astype(np.float32)
    people[::7] = 0
    return Catalogue(
        PairTable.from_lists(edges[:, 0], edges[:, 1], weights, ITEMS),
        unit_rows(rng, ITEMS, 12),
        unit_rows(rng, ITEMS, GRAPH + TEXT),
        TEXT,
        people,
        np.sort(rng.integers(0, 3, ITEMS)),
    )


def draw_person(seed: int, length: int) -> Person:
    rng = np.random.default_rng(seed)
    return Person(
        unit_rows(rng, 1, 12)[0],
        rng.integers(0, ITEMS, length),
        rng.uniform(0.1, 3, length).astype(np.float32),
    )


class Scorer:
    """A weighted sum with weights of its own for every column."""

    def __init__(self, seed: int = 5) -> None:
        self.weight = np.random.default_rng(seed).normal(size=len(NAMES)).astype(np.float32)

    def __call__(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = evidence @ self.weight
        return scores


def by_columns(
    catalogue: Catalogue, person: Person, rows: NDArray[np.int64], scorer: Scorer
) -> NDArray[np.float32]:
    """Score by gathering every column, as training does."""
    return scorer(gather(catalogue, person, reach(catalogue, person), rows))


@pytest.mark.parametrize("length", [0, 1, 2, 7, 50, 300, 1200])
def test_scores_are_those_of_the_columns(length: int) -> None:
    catalogue, person, scorer = draw_catalogue(1), draw_person(length, length), Scorer()
    ranker = FusedRanker(catalogue, scorer, most_reached=ITEMS)
    listener = ranker.listen(person)
    rows, said = ranker.candidates(listener, EVERYTHING)
    assert rows.tolist() == EVERYTHING.tolist()
    scores = ranker.score(listener, rows, said)
    np.testing.assert_allclose(scores, by_columns(catalogue, person, rows, scorer), atol=2e-4)


def test_reached_rows_are_those_of_the_table() -> None:
    catalogue, person = draw_catalogue(2), draw_person(3, 20)
    listener = FusedRanker(catalogue, Scorer()).listen(person)
    assert sorted(listener.reached.tolist()) == reach(catalogue, person).rows.tolist()


def test_of_what_is_reached_the_loudest_are_compared() -> None:
    catalogue, person = draw_catalogue(3), draw_person(4, 30)
    ranker = FusedRanker(catalogue, Scorer(), most_reached=25)
    listener = ranker.listen(person)
    rows, said = ranker.candidates(listener, NOWHERE)
    loudest = listener.reached[np.argsort(-listener.said)[:25]]
    assert rows.tolist() == sorted(loudest.tolist())
    assert set(said.tolist()) <= set(listener.said.tolist())


def test_near_items_count_what_the_edges_say_of_them_however_quiet() -> None:
    catalogue, person = draw_catalogue(4), draw_person(5, 30)
    ranker = FusedRanker(catalogue, Scorer(), most_reached=1)
    listener = ranker.listen(person)
    quietest = listener.reached[[np.argmin(listener.said)]]
    rows, said = ranker.candidates(listener, quietest)
    assert said[rows == quietest[0]].tolist() == [listener.said.min()]
    assert len(rows) == 2


def test_what_is_not_admitted_is_no_candidate() -> None:
    catalogue, person = draw_catalogue(5), draw_person(6, 10)
    ranker = FusedRanker(catalogue, Scorer())
    listener = ranker.listen(person)
    admitted = listener.reached % 2 == 0
    rows, _ = ranker.candidates(listener, NOWHERE, admitted)
    assert rows.tolist() == sorted(listener.reached[admitted].tolist())


def test_one_person_leaves_nothing_behind_for_the_next() -> None:
    catalogue, scorer = draw_catalogue(6), Scorer()
    ranker = FusedRanker(catalogue, scorer, most_reached=ITEMS)
    for seed, length in enumerate((300, 3, 40)):
        person = draw_person(seed, length)
        listener = ranker.listen(person)
        rows, said = ranker.candidates(listener, EVERYTHING[:10])
        np.testing.assert_allclose(
            ranker.score(listener, rows, said),
            by_columns(catalogue, person, rows, scorer),
            atol=2e-4,
        )


def test_threads_do_not_disturb_each_other() -> None:
    catalogue = draw_catalogue(7)
    ranker = FusedRanker(catalogue, Scorer())
    people = [draw_person(seed, 10 + 20 * seed) for seed in range(8)]
    expected = [ranker.listen(person).said.tolist() for person in people]
    got: dict[int, list[list[float]]] = {}

    def ask(number: int) -> None:
        got[number] = [ranker.listen(people[number]).said.tolist() for _ in range(50)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == {number: [expected[number]] * 50 for number in range(8)}


def test_scorer_that_is_no_weighted_sum_is_refused() -> None:
    def squared(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = (evidence**2).sum(axis=1)
        return scores

    with pytest.raises(ValueError, match="no weighted sum"):
        FusedRanker(draw_catalogue(8), squared)


@pytest.mark.parametrize("k", [1, 2, 5, 6, 59, 60, 61])
def test_best_are_those_of_a_whole_sort(k: int) -> None:
    """Scores of few values, so that the last place is often tied."""
    rng = np.random.default_rng(k)
    for _ in range(20):
        scores = rng.integers(0, 4, 60).astype(np.float32)
        assert best_places(scores, k).tolist() == np.argsort(-scores, kind="stable")[:k].tolist()


def test_best_of_nothing_is_nothing() -> None:
    assert best_places(np.empty(0, dtype=np.float32), 3).shape == (0,)
