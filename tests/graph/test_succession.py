"""What came before each choice, against plain loops."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from graph import succession
from graph.influence import Moments
from graph.succession import FAINTEST, succession_moments

ITEMS = 7


@dataclass(frozen=True)
class People:
    """Sequences as the moments are taken from."""

    indptr: NDArray[np.int64]
    rows: NDArray[np.int64]
    weight: NDArray[np.float32]
    strong: NDArray[np.bool_]

    def moments(self, decay: float) -> Moments:
        return succession_moments(
            self.indptr, self.rows, self.weight, self.strong, decay, num_items=ITEMS
        )


def people_of(*sequences: list[tuple[int, float, bool]]) -> People:
    """Write down (item, weight, strong) per place, oldest first."""
    flat = [event for sequence in sequences for event in sequence]
    return People(
        np.cumsum([0, *map(len, sequences)]).astype(np.int64),
        np.array([item for item, _, _ in flat], dtype=np.int64),
        np.array([weight for _, weight, _ in flat], dtype=np.float32),
        np.array([strong for _, _, strong in flat], dtype=np.bool_),
    )


def drawn(seed: int, people: int = 12, longest: int = 15) -> People:
    rng = np.random.default_rng(seed)
    return people_of(
        *(
            [
                (int(rng.integers(ITEMS)), float(rng.uniform(0.1, 2)), bool(rng.random() < 0.6))
                for _ in range(rng.integers(longest + 1))
            ]
            for _ in range(people)
        )
    )


def by_loops(people: People, decay: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    among, of = np.zeros((ITEMS, ITEMS)), np.zeros((ITEMS, ITEMS))
    for start, end in zip(people.indptr[:-1], people.indptr[1:], strict=True):
        for place in range(start + 1, end):
            if not people.strong[place]:
                continue
            before = np.zeros(ITEMS)
            for there in range(start, place):
                fade = decay ** (place - 1 - there)
                if fade >= FAINTEST:
                    before[people.rows[there]] += fade * people.weight[there]
            among += np.outer(before, before)
            of[:, people.rows[place]] += before
    return among, of


def dense(matrix: sp.csr_array) -> NDArray[np.float32]:
    array: NDArray[np.float32] = matrix.toarray()
    return array


@pytest.mark.parametrize("decay", [0.15, 0.6, 0.95])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_moments_equal_plain_loops(seed: int, decay: float) -> None:
    people = drawn(seed)
    moments = people.moments(decay)
    among, of = by_loops(people, decay)
    np.testing.assert_allclose(dense(moments.among), among, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dense(moments.of), of, rtol=1e-5, atol=1e-6)


def test_moments_by_hand() -> None:
    people = people_of([(0, 1.0, True), (1, 2.0, False), (2, 1.0, True)])
    moments = people.moments(0.5)
    before = [0.5, 2.0, 0, 0, 0, 0, 0]  # of item 2, the only choice that anything came before
    np.testing.assert_array_equal(dense(moments.of)[:, 2], before)
    np.testing.assert_array_equal(dense(moments.among), np.outer(before, before))
    assert moments.of.nnz == 2


def test_weak_signals_come_before_and_are_not_chosen() -> None:
    weak_first = people_of([(0, 1.0, False), (1, 1.0, True)]).moments(0.5)
    weak_last = people_of([(0, 1.0, True), (1, 1.0, False)]).moments(0.5)
    assert dense(weak_first.of)[0, 1] == 1
    assert weak_last.of.nnz == weak_last.among.nnz == 0


def test_nothing_is_carried_from_one_person_to_the_next() -> None:
    apart = people_of([(0, 1.0, True)], [], [(1, 1.0, True), (2, 1.0, True)]).moments(0.9)
    assert np.argwhere(dense(apart.of)).tolist() == [[1, 2]]


@pytest.mark.parametrize("decay", [0.15, 0.5])
def test_what_has_faded_is_not_counted(decay: float) -> None:
    """Item 0 lies ever deeper; the item that is chosen says how deep."""
    deep = [(0, 1.0, False), *((item, 1.0, True) for item in (1, 2, 3, 4, 5, 6, 1, 2, 3))]
    last = len(deep) - 1
    said = people_of(deep).moments(decay).of.toarray()[0]
    depths = {back: decay ** (back - 1) for back in range(1, last + 1)}
    for item in range(1, ITEMS):
        heard = [depths[back] for back in depths if deep[back][0] == item]
        expected = sum(fade for fade in heard if fade >= FAINTEST)
        assert said[item] == pytest.approx(expected, rel=1e-5)
    assert min(depths.values()) < FAINTEST  # or nothing of this would be cut


@pytest.mark.parametrize("block", [1, 3, 10])
def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    people = drawn(3, people=8)
    whole = people.moments(0.7)
    assert int(people.strong.sum()) > block
    monkeypatch.setattr(succession, "_BLOCK", block)
    parts = people.moments(0.7)
    np.testing.assert_allclose(dense(parts.among), dense(whole.among), rtol=1e-5)
    np.testing.assert_allclose(dense(parts.of), dense(whole.of), rtol=1e-5)


@pytest.mark.parametrize("people", [people_of(), people_of([], []), people_of([(3, 1.0, True)])])
def test_without_anything_before_a_choice_there_is_nothing(people: People) -> None:
    moments = people.moments(0.5)
    assert moments.among.shape == moments.of.shape == (ITEMS, ITEMS)
    assert moments.among.nnz == moments.of.nnz == 0


@pytest.mark.parametrize("decay", [0.0, 1.0, -0.5, 1.5, float("nan")])
def test_decay_without_a_meaning_is_refused(decay: float) -> None:
    with pytest.raises(ValueError, match="decay: expected a number between 0 and 1"):
        people_of([(0, 1.0, True)]).moments(decay)
