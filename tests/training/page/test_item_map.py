"""The map keeps neighbours together, and names what fits."""

import numpy as np
from numpy.typing import NDArray

from training.page.item_map import ItemMap, map_items, pick_landmarks


def two_clusters(size: int) -> NDArray[np.float32]:
    """Unit vectors around two axes, one cluster after the other."""
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 0.05, (2 * size, 8)).astype(np.float32)
    vectors[:size, 0] += 1
    vectors[size:, 1] += 1
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def test_items_that_are_alike_lie_together() -> None:
    drawn = map_items(two_clusters(30), seed=0)
    assert drawn is not None
    apart = np.linalg.norm(drawn.points[:, None] - drawn.points[None, :], axis=2)
    np.fill_diagonal(apart, np.inf)
    same = (drawn.rows < 30) == (drawn.rows[apart.argmin(axis=1)] < 30)
    assert same.all()


def test_the_seed_decides_which_items_are_drawn() -> None:
    vectors = two_clusters(20)
    first, again, other = (map_items(vectors, seed=seed, most=12) for seed in (1, 1, 2))
    assert first is not None
    assert again is not None
    assert other is not None
    assert len(first.rows) == 12
    assert np.all(np.diff(first.rows) > 0)
    assert first.rows.tolist() == again.rows.tolist() != other.rows.tolist()


def test_too_few_items_have_no_map() -> None:
    assert map_items(two_clusters(4), seed=0) is None


def test_names_are_those_of_popular_items_that_leave_each_other_room() -> None:
    points = np.array([[0, 0], [0.01, 0.01], [1, 1], [0, 0.5], [0.5, 0]], dtype=np.float32)
    drawn = ItemMap(np.arange(5), points)
    popularity = np.array([9, 8, 7, 6, 50])
    got = pick_landmarks(drawn, np.array([0, 0, 0, 0, 1]), popularity)
    assert got == [0, 2, 3, 4]  # the second lies on the first
