"""Where residuals begin: near what the same people chose, the same each time."""

import numpy as np
import pytest

from tests.support.sequences import sequences_of
from training.histories import Sequences
from training.residual_start import choice_directions


def test_items_lie_near_those_that_the_same_people_chose() -> None:
    """Two circles of people, each with ten items that it prefers; nobody chose the last one."""
    placed = choice_directions(two_circles(0, alone=0), 21, 3)
    assert placed.shape == (21, 3)
    assert not placed[20].any()
    assert set(np.sign(placed[:10, 0])) ^ set(np.sign(placed[10:20, 0])) == {-1, 1}
    assert (placed[:20] ** 2).sum(axis=1).mean() == pytest.approx(1)


@pytest.mark.parametrize("alone", [5, 100])
def test_items_with_people_of_their_own_take_no_direction(alone: int) -> None:
    """However many there are, they lie near 0, and the others as they would without them."""
    plain = choice_directions(two_circles(0, alone=0), 20, 8)
    placed = choice_directions(two_circles(0, alone=alone), 20 + alone, 8)
    length = np.linalg.norm(placed, axis=1)
    assert length[20:].max() < length[:20].min() / 3
    for few, many in zip(plain[:, :3].T, placed[:20, :3].T, strict=True):
        assert abs(np.corrcoef(few, many)[0, 1]) > 0.9


def two_circles(seed: int, *, alone: int) -> Sequences:
    """Three hundred people who choose four items of their circle's ten and one of the other's.

    After them `alone` people with an item each that nobody else chose.
    """
    rng = np.random.default_rng(seed)
    rows = [
        (rng.choice(10, 5, replace=False) + 10 * (person % 2 + (np.arange(5) == 0))) % 20
        for person in range(300)
    ]
    lengths = np.concatenate((np.full(300, 5), np.ones(alone, dtype=np.int64)))
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    return sequences_of(indptr, np.concatenate((*rows, 20 + np.arange(alone))))


def test_all_directions_tell_the_cosine_by_people() -> None:
    """With people who chose equally many, the products are the cosine, popularity aside."""
    rng = np.random.default_rng(1)
    rows = np.concatenate([rng.choice(8, 3, replace=False) for _ in range(40)])
    chosen = np.zeros((40, 8))
    chosen[np.repeat(np.arange(40), 3), rows] = 1
    people = chosen.sum(axis=0)
    scaled = chosen / np.sqrt(6 * (people + people.mean()))
    cosine = scaled.T @ scaled
    value, vector = np.linalg.eigh(cosine)
    cosine -= value[-1] * np.outer(vector[:, -1], vector[:, -1])
    placed = choice_directions(sequences_of(np.arange(41) * 3, rows), 8, 10).astype(float)
    got = placed @ placed.T
    np.testing.assert_allclose(got / got.trace(), cosine / cosine.trace(), atol=1e-6)
    assert not placed[:, 7:].any()


def test_the_same_choices_give_the_same_directions() -> None:
    rows = np.random.default_rng(2).integers(0, 30, 400)
    sequences = sequences_of(np.arange(41) * 10, rows)
    one, again = (choice_directions(sequences, 30, 8) for _ in range(2))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize(
    ("indptr", "rows", "items"), [([0, 3], [0, 1, 2], 9), ([0, 1, 2, 3], [0, 0, 0], 1)]
)
def test_too_few_for_a_direction_begin_at_nothing(
    indptr: list[int], rows: list[int], items: int
) -> None:
    assert not choice_directions(sequences_of(indptr, rows), items, 4).any()


def test_everybody_chose_the_same() -> None:
    """Nothing but popularity is told, and no number is lost."""
    placed = choice_directions(sequences_of(np.arange(6) * 4, [0, 1, 2, 3] * 5), 4, 4)
    assert not placed.any()


def test_weak_signals_place_nothing() -> None:
    rows = np.tile(np.arange(6), 10)
    strong = rows < 3
    placed = choice_directions(sequences_of(np.arange(11) * 6, rows, strong=strong), 6, 2)
    assert not placed[3:].any()
