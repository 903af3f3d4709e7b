"""The pairwise channel: lists turned round, and sums over a history, against plain loops."""

from pathlib import Path

import numpy as np
import pytest

from retrieval.pairwise import FAINTEST, PairTable

OWNER = np.array([0, 0, 1, 3, 3, 0])
NEIGHBOUR = np.array([1, 2, 0, 1, 2, 1])
WEIGHTS = np.array(
    [[0.5, 0.0], [0.25, 0.0], [1.0, 0.0], [-0.5, 0.0], [2.0, 0.0], [0.0, 3.0]], dtype=np.float32
)
DECAYS = np.array([0.5, 1.0], dtype=np.float32)


@pytest.fixture
def table() -> PairTable:
    return PairTable.from_lists(OWNER, NEIGHBOUR, WEIGHTS, 4)


def test_neighbours_speak_for_the_owners_of_the_lists(table: PairTable) -> None:
    assert table.indptr.tolist() == [0, 1, 3, 5, 5]
    assert table.targets.tolist() == [1, 0, 3, 0, 3]
    assert table.weights.tolist() == [[1, 0], [0.5, 3], [-0.5, 0], [0.25, 0], [2, 0]]


def test_sums_by_hand(table: PairTable) -> None:
    reached = table.reach(np.array([1, 2]), np.array([1.0, 4.0], dtype=np.float32), DECAYS)
    assert reached.rows.tolist() == [0, 3]
    # kind 0 under both decays, then kind 1; item 2 is older by one and weighs 4
    np.testing.assert_allclose(
        reached.sums,
        [
            [0.5 + 4 * 0.5 * 0.25, 0.5 + 4 * 0.25, 3, 3],
            [-0.5 + 4 * 0.5 * 2, -0.5 + 4 * 2, 0, 0],
        ],
    )


def test_sums_equal_plain_loops() -> None:
    rng = np.random.default_rng(0)
    edges = np.unique(rng.integers(0, 30, (200, 2)), axis=0)
    weights = rng.normal(size=(len(edges), 3)).astype(np.float32)
    table = PairTable.from_lists(edges[:, 0], edges[:, 1], weights, 30)
    history, weight = rng.integers(0, 30, 12), rng.random(12).astype(np.float32)
    expected = np.zeros((30, 3, 2))
    for place, (item, heard) in enumerate(zip(history, weight, strict=True)):
        for (owner, neighbour), kinds in zip(edges, weights, strict=True):
            if neighbour == item:
                fade = DECAYS**place
                expected[owner] += kinds[:, None] * heard * np.where(fade < FAINTEST, 0, fade)
    got = table.reach(history, weight, DECAYS).of(np.arange(30))
    np.testing.assert_allclose(got, expected.reshape(30, 6), atol=1e-5)


@pytest.mark.parametrize(("decay", "heard"), [(0.3, 6), (0.05, 3), (0.8, 31), (1.0, 40)])
def test_places_that_are_too_faint_say_nothing(table: PairTable, decay: float, heard: int) -> None:
    """Item 0 speaks for item 1 alone, and stands once in a history of what says nothing."""
    decays = np.array([decay], dtype=np.float32)
    for place in range(40):
        history = np.full(40, 3)
        history[place] = 0
        reached = table.reach(history, np.ones(40, dtype=np.float32), decays)
        assert reached.rows.tolist() == [1]  # a candidate all the same
        expected = decay**place if place < heard else 0
        assert reached.sums[0, 0] == pytest.approx(expected, rel=1e-4)
    assert heard == 40 or decay**heard < FAINTEST <= decay ** (heard - 1)


def test_what_nothing_speaks_for_has_zeros(table: PairTable) -> None:
    one = np.ones(1, dtype=np.float32)
    reached = table.reach(np.array([0]), one, DECAYS)
    assert reached.of(np.array([3, 1, 0])).tolist() == [[0] * 4, [1, 1, 0, 0], [0] * 4]


def test_empty_history_and_item_that_speaks_for_nothing(table: PairTable) -> None:
    for history in (np.empty(0, dtype=np.int64), np.array([3])):
        reached = table.reach(history, np.ones(len(history), dtype=np.float32), DECAYS)
        assert reached.rows.shape == (0,)
        assert reached.sums.shape == (0, 4)
        assert reached.of(np.array([1])).tolist() == [[0, 0, 0, 0]]


def test_saved_table_comes_back(table: PairTable, tmp_path: Path) -> None:
    table.save(tmp_path)
    again = PairTable.load(tmp_path)
    for name in ("indptr", "targets", "weights"):
        np.testing.assert_array_equal(getattr(again, name), getattr(table, name))
        assert getattr(again, name).dtype == getattr(table, name).dtype
