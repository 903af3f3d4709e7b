"""Every ranker in worlds whose right answer is known, and against slow formulas."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.cases import Cases
from tests.support.cases import cases_of
from training.baselines import (
    ItemCosine,
    Popularity,
    TwoTowerRanker,
    VectorKnn,
    history_matrix,
    interaction_matrix,
)
from training.centring import centred
from training.ease import Ease
from training.metrics import TOP
from training.ranking import Candidates, Ranker, Scope, rank

SIDE = 24


def checkerboard() -> tuple[sp.csr_array, Cases, Candidates]:
    """User u touched the items of the parity of u, all but item u itself, which is the target."""
    board = (np.add.outer(np.arange(SIDE), np.arange(SIDE)) % 2 == 0) & ~np.eye(SIDE, dtype=bool)
    histories = [np.flatnonzero(row).tolist() for row in board]
    candidates = Candidates(
        ("square",),
        np.zeros(SIDE, dtype=np.int64),
        np.ones(SIDE, dtype=np.int64),
        np.ones(SIDE, dtype=np.bool_),
    )
    return as_matrix(board), cases_of(histories, list(range(SIDE))), candidates


def as_matrix(touched: NDArray[np.bool_]) -> sp.csr_array:
    matrix: sp.csr_array = sp.csr_array(touched.astype(np.float32))
    return matrix


def random_matrix(users: int, items: int, density: float, seed: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(seed)
    popularity = rng.power(0.6, items)
    return rng.random((users, items)) < density * popularity


@pytest.mark.parametrize(
    "fit",
    [
        ItemCosine.fit,
        lambda matrix: ItemCosine.fit(matrix, shrinkage=10.0, last=3),
        lambda matrix: Ease.fit(matrix, ridge=5.0),
    ],
    ids=["cosine", "cosine-shrunk-last-3", "ease"],
)
def test_the_withheld_diagonal_of_the_checkerboard_comes_first(
    fit: Callable[[sp.csr_array], Ranker],
) -> None:
    matrix, cases, candidates = checkerboard()
    got = rank(fit(matrix), cases, candidates)[Scope.TYPE]
    assert got.rank.tolist() == [1] * SIDE
    assert got.top[:, 0].tolist() == list(range(SIDE))


def test_popularity_does_not_know_the_checkerboard() -> None:
    matrix, cases, candidates = checkerboard()
    got = rank(Popularity.fit(matrix), cases, candidates)[Scope.TYPE]
    assert got.rank.min() > TOP


def test_vectors_of_two_communities_bring_ones_own_community() -> None:
    _, cases, candidates = checkerboard()
    vectors = np.eye(2, dtype=np.float32)[np.arange(SIDE) % 2]
    got = rank(VectorKnn("knn", vectors), cases, candidates)[Scope.TYPE]
    assert got.rank.tolist() == [1] * SIDE


def test_popularity_counts_people_and_leaves_negative_signals_out() -> None:
    train = pl.DataFrame(
        {
            "user_row": [0, 0, 1, 2, 2],
            "item_row": [1, 1, 1, 2, 0],
            "role": ["strong", "strong", "weak", "strong", "negative"],
        }
    )
    matrix = interaction_matrix(train, 3, 4)
    ranker = Popularity.fit(matrix)
    np.testing.assert_array_equal(ranker.score(cases_of([[], []], [0, 1])), [[0, 2, 1, 0]] * 2)


def test_history_is_a_set_and_can_be_cut_to_its_newest() -> None:
    cases = cases_of([[3, 1, 3, 0], [], [2]], [0, 0, 0])
    np.testing.assert_array_equal(
        history_matrix(cases, 4).toarray(), [[1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    )
    np.testing.assert_array_equal(
        history_matrix(cases, 4, last=2).toarray(), [[1, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    )


def test_older_items_of_a_history_weigh_less_by_their_newest_place() -> None:
    cases = cases_of([[3, 1, 3, 0], [], [2]], [0, 0, 0])
    expected = np.array([[1, 0.25, 0, 0.5], [0, 0, 0, 0], [0, 0, 1, 0]])
    np.testing.assert_allclose(history_matrix(cases, 4, decay=0.5).toarray(), expected)
    expected[0, 1] = 0
    np.testing.assert_allclose(history_matrix(cases, 4, decay=0.5, last=2).toarray(), expected)


@pytest.mark.parametrize(
    "fit",
    [
        lambda matrix, decay: VectorKnn("knn", matrix.toarray().T, decay=decay),
        lambda matrix, decay: replace(ItemCosine.fit(matrix), decay=decay),
        lambda matrix, decay: replace(Ease.fit(matrix, ridge=5.0), decay=decay),
    ],
    ids=["knn", "cosine", "ease"],
)
def test_with_decay_the_newest_item_decides(fit: Callable[[sp.csr_array, float], Ranker]) -> None:
    matrix, _, _ = checkerboard()
    cases = cases_of([[0, 2, 4, 7], [1, 3, 5, 8]], [0, 1])
    scores = fit(matrix, 0.01).score(cases)
    odd = np.arange(SIDE) % 2 == 1
    assert scores[0, odd].mean() > scores[0, ~odd].mean()
    assert scores[1, ~odd].mean() > scores[1, odd].mean()
    plain = fit(matrix, 1.0).score(cases)
    assert plain[0, odd].mean() < plain[0, ~odd].mean()


def test_vector_knn_scores_by_the_mean_of_the_history() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], dtype=np.float32)
    scores = VectorKnn("knn", vectors).score(cases_of([[0, 1], []], [2, 2]))
    np.testing.assert_allclose(scores, [[0.5, 0.5, 0.7], [0.0, 0.0, 0.0]], rtol=1e-6)
    newest = VectorKnn("knn", vectors, last=1).score(cases_of([[0, 1]], [2]))
    np.testing.assert_allclose(newest, [[0.0, 1.0, 0.8]], rtol=1e-6)


def test_centred_vectors_have_no_common_part() -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(500, 16)) + 3.0).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shifted = centred(vectors)
    np.testing.assert_allclose(np.linalg.norm(shifted, axis=1), 1.0, rtol=1e-5)
    assert np.linalg.norm(vectors.mean(axis=0)) > 0.9
    assert np.linalg.norm(shifted.mean(axis=0)) < 0.1


def test_a_vector_equal_to_the_mean_becomes_zero() -> None:
    np.testing.assert_array_equal(centred(np.ones((3, 4), dtype=np.float32)), np.zeros((3, 4)))


@pytest.mark.parametrize(("shrinkage", "exponent"), [(0.0, 0.5), (10.0, 0.5), (5.0, 0.7)])
def test_cosine_agrees_with_the_formula_over_several_blocks(
    shrinkage: float, exponent: float
) -> None:
    touched = random_matrix(60, 2500, 0.05, seed=1)
    fitted = ItemCosine.fit(as_matrix(touched), shrinkage=shrinkage, exponent=exponent)
    got = fitted.similarity.toarray()
    dense = touched.astype(np.float64)
    users = dense.sum(axis=0)
    shared = dense.T @ dense
    below = np.outer(users ** (1 - exponent), users**exponent) + shrinkage
    expected = np.divide(shared, below, out=np.zeros_like(shared), where=shared > 0)
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_ease_agrees_with_the_closed_form_in_double_precision() -> None:
    touched = random_matrix(400, 1300, 0.1, seed=2)
    touched[:, 7] = False
    ranker = Ease.fit(as_matrix(touched), ridge=20.0)
    dense = touched[:, ranker.items].astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + 20.0 * np.eye(len(ranker.items)))
    expected = np.eye(len(ranker.items)) - inverse / np.diag(inverse)[None, :]
    np.testing.assert_allclose(ranker.weights, expected, atol=2e-5)
    assert np.abs(expected).max() > 0.01
    assert not np.diag(ranker.weights).any()

    scores = ranker.score(cases_of([[ranker.items[0], 7]], [1]))
    np.testing.assert_allclose(scores[0, ranker.items], expected[0], atol=2e-5)
    assert 7 not in ranker.items
    assert scores[0, 7] == 0.0


def test_ease_keeps_the_most_popular_items_when_there_are_too_many() -> None:
    touched = random_matrix(200, 50, 0.5, seed=3)
    ranker = Ease.fit(as_matrix(touched), ridge=10.0, max_items=20)
    people = touched.sum(axis=0)
    assert len(ranker.items) == 20
    assert people[ranker.items].min() >= np.sort(people)[-20]
    assert ranker.score(cases_of([[0]], [1])).shape == (1, 50)


def test_ease_holds_one_matrix_while_it_inverts() -> None:
    matrix = as_matrix(random_matrix(300, 2048, 0.2, seed=4))
    tracemalloc.start()
    ranker = Ease.fit(matrix, ridge=50.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Beside the matrix itself: blocks of 1024 rows or columns, here half a matrix each.
    assert peak < 2.6 * ranker.weights.nbytes


@pytest.mark.parametrize("ridge", [0.0, -1.0])
def test_ease_without_a_ridge_is_refused(ridge: float) -> None:
    with pytest.raises(ValueError, match="ridge above 0"):
        Ease.fit(as_matrix(random_matrix(5, 5, 0.9, seed=0)), ridge=ridge)


def all_rankers() -> list[Ranker]:
    touched = random_matrix(80, 30, 0.4, seed=5)
    matrix = as_matrix(touched)
    vectors = np.random.default_rng(6).normal(size=(30, 8)).astype(np.float32)

    def embed_users(cases: Cases) -> NDArray[np.float32]:
        return vectors[cases.user_row]

    return [
        Popularity.fit(matrix),
        VectorKnn("text-kNN", vectors),
        VectorKnn("text-kNN, last 2", centred(vectors), last=2),
        ItemCosine.fit(matrix),
        ItemCosine.fit(matrix, shrinkage=5.0, last=3, name="item-item cosine, last 3"),
        replace(ItemCosine.fit(matrix, exponent=0.3), decay=0.7, name="item-item cosine, decay"),
        Ease.fit(matrix, ridge=10.0),
        TwoTowerRanker("2T", vectors, embed_users),
    ]


def some_cases() -> Cases:
    rng = np.random.default_rng(8)
    histories = [rng.choice(30, size, replace=False).tolist() for size in rng.integers(0, 9, 17)]
    return cases_of(histories, rng.integers(0, 30, 17).tolist())


@pytest.mark.parametrize("ranker", all_rankers(), ids=lambda ranker: str(ranker.name))
def test_every_ranker_scores_all_items_for_each_case_alone_as_in_a_batch(ranker: Ranker) -> None:
    cases = some_cases()
    scores = ranker.score(cases)
    assert scores.shape == (17, 30)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert np.ptp(scores, axis=1).max() > 0
    for size in (1, 2):
        part = np.arange(size) + 3
        np.testing.assert_allclose(
            ranker.score(cases.take(part)), scores[part], rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("ranker", all_rankers(), ids=lambda ranker: str(ranker.name))
def test_no_ranker_looks_at_the_target(ranker: Ranker) -> None:
    cases = some_cases()
    moved = replace(cases, target=(cases.target + 1) % 30)
    np.testing.assert_array_equal(ranker.score(cases), ranker.score(moved))


def test_two_towers_score_by_the_dot_product() -> None:
    items = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    people = np.array([[0.6, 0.8]], dtype=np.float32)
    ranker = TwoTowerRanker("2T", items, lambda cases: people[cases.user_row])
    np.testing.assert_array_equal(ranker.score(cases_of([[]], [0])), people)
