import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.exact import ExactIndex
from retrieval.hnsw import GraphSettings
from retrieval.tune import between_rows, recall_of, tune

GRAPHS = GraphSettings(links=6, build_width=40, min_rows=200)
ITEM_TYPE = np.repeat([0, 1, 2], [100, 900, 2000])


def spread(directions: int, seed: int) -> NDArray[np.float32]:
    """Vectors that vary in some directions of 48."""
    draw = np.random.default_rng(seed)
    vectors = draw.normal(size=(3000, directions)) @ draw.normal(size=(directions, 48))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors, dtype=np.float32)


def built(vectors: NDArray[np.float32]) -> ApproximateIndex:
    return ApproximateIndex.build(vectors, ITEM_TYPE, GRAPHS)


def width_of(vectors: NDArray[np.float32], recall: float) -> int:
    index = tune(built(vectors), between_rows(vectors, seed=1), recall=recall)
    assert index is not None
    return index.settings.search_width


def test_recall_is_the_share_of_wanted_rows_found() -> None:
    found = np.array([[1, 2, 3], [4, 5, -1]])
    wanted = np.array([[3, 9, 1], [7, 8, 6]])
    assert recall_of(found, wanted) == pytest.approx(2 / 6)


def test_questions_lie_half_way_between_rows() -> None:
    corners = np.eye(3, dtype=np.float32)
    questions = between_rows(corners, seed=1)
    assert questions.shape == (256, 3)
    assert {*np.unique(questions).tolist()} == {0.0, 0.5, 1.0}
    assert (questions.sum(axis=1) == 1).all()


def test_vectors_spread_in_more_directions_are_searched_more_widely() -> None:
    assert width_of(spread(3, seed=2), 0.95) < width_of(spread(48, seed=2), 0.95)


def test_higher_recall_takes_a_wider_search() -> None:
    vectors = spread(16, seed=3)
    assert width_of(vectors, 0.9) < width_of(vectors, 0.995)


def test_easier_questions_take_a_narrower_search() -> None:
    vectors = spread(24, seed=4)
    easy = tune(built(vectors), vectors[::10], recall=0.98)
    hard = tune(built(vectors), between_rows(vectors, seed=5), recall=0.98)
    assert easy is not None
    assert hard is not None
    assert easy.settings.search_width < hard.settings.search_width


def test_tuned_index_reaches_the_recall_in_every_type_on_other_questions() -> None:
    vectors = spread(16, seed=4)
    index = tune(built(vectors), between_rows(vectors, seed=5), recall=0.97)
    assert index is not None
    questions = between_rows(vectors, seed=6)
    for item_type in range(3):
        allowed = np.equal(ITEM_TYPE, item_type)
        wanted = ExactIndex(vectors).search(questions, 10, allowed=allowed).rows
        found = index.search(questions, 10, allowed=allowed).rows
        assert recall_of(found, wanted) >= 0.95


def test_recall_out_of_reach_is_admitted() -> None:
    vectors = spread(48, seed=7)
    poor = GraphSettings(links=2, build_width=2, min_rows=200)
    index = ApproximateIndex.build(vectors, ITEM_TYPE, poor)
    assert tune(index, between_rows(vectors, seed=8), recall=0.99) is None


def test_index_without_graphs_has_nothing_to_tune() -> None:
    vectors = spread(48, seed=7)[:100]
    index = ApproximateIndex.build(vectors, ITEM_TYPE[:100], GRAPHS)
    tuned = tune(index, between_rows(vectors, seed=8), recall=1.0)
    assert tuned is not None
    assert tuned.settings.search_width == 32
