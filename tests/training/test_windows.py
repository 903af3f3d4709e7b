"""Windows: every target follows its history, and over the epochs every place is a target."""

import numpy as np
import pytest

from tests.support.sequences import sequences_of
from training.histories import Sequences
from training.windows import cut_windows, draw_windows, part_by_length

SIZES = (0, 1, 2, 5, 23)


def make_sequences() -> Sequences:
    """People whose items are numbered through, oldest first."""
    indptr = np.concatenate(([0], np.cumsum(SIZES)))
    rows = np.arange(indptr[-1])
    return sequences_of(indptr, rows, strong=rows % 7 != 3)


def draw(seed: int, *, length: int = 4, most: int = 100) -> np.ndarray:
    return draw_windows(make_sequences(), length, most, np.random.default_rng(seed))


@pytest.mark.parametrize("length", [1, 4, 50])
def test_targets_follow_their_places(length: int) -> None:
    sequences = make_sequences()
    batch = cut_windows(sequences, draw(0, length=length), length)
    person = np.repeat(np.arange(len(SIZES)), SIZES)
    for row in range(len(batch.user)):
        heard = batch.history.rows[row][batch.history.weight[row] > 0].tolist()
        assert heard == sorted(heard, reverse=True)  # newest first
        assert all(person[item] == batch.user[row] for item in heard)
        for place in batch.is_target[row].nonzero().flatten().tolist():
            target = int(batch.target[row, place])
            assert person[target] == batch.user[row]
            assert sequences.strong[target]
            if place < batch.history.rows.shape[1]:
                assert target == batch.history.rows[row, place] + 1
            else:  # the first item of all
                assert target == sequences.indptr[person[target]]


def test_every_strong_item_is_a_target_sooner_or_later() -> None:
    sequences = make_sequences()
    targets: set[int] = set()
    for seed in range(30):
        batch = cut_windows(sequences, draw(seed), 4)
        targets |= set(batch.target[batch.is_target].tolist())
    assert targets == set(np.flatnonzero(sequences.strong).tolist())


@pytest.mark.parametrize("most", [2, 100])
def test_no_place_of_a_long_sequence_is_a_target_seldom(most: int) -> None:
    size, length, draws = 200, 50, 400
    sequences = sequences_of([0, size], np.arange(size))
    times = np.zeros(size)
    for seed in range(draws):
        windows = draw_windows(sequences, length, most, np.random.default_rng(seed))
        batch = cut_windows(sequences, windows, length)
        np.add.at(times, batch.target[batch.is_target].numpy(), 1)
    rate = times / draws
    expected = np.median(rate[:100])
    assert rate.min() > 0.7 * expected
    assert rate.max() < 2.3 * expected
    assert rate[-1] > 0.7 * expected


def test_windows_of_one_person_are_capped() -> None:
    windows = draw(0, most=2)
    owners = np.searchsorted(make_sequences().indptr, windows[:, 0], side="right") - 1
    assert np.bincount(owners, minlength=5).tolist() == [0, 1, 1, 1, 2]


def test_same_seed_gives_the_same_windows() -> None:
    np.testing.assert_array_equal(draw(3), draw(3))
    assert not np.array_equal(draw(3), draw(4))


def test_windows_are_parted_by_length_where_that_spares_padding() -> None:
    long, short = np.array([[0, 50]]), np.array([[50 + 2 * n, 52 + 2 * n] for n in range(11)])
    windows = np.concatenate((short, long))
    parts = list(part_by_length(windows))
    assert [len(part) for part in parts] == [3, 3, 3, 3]
    assert parts[0][0].tolist() == [0, 50]
    assert sorted(np.concatenate(parts).tolist()) == sorted(windows.tolist())


@pytest.mark.parametrize("count", [1, 3, 12])
def test_windows_of_one_length_stay_together(count: int) -> None:
    windows = np.array([[5 * n, 5 * n + 5] for n in range(count)])
    (part,) = part_by_length(windows)
    np.testing.assert_array_equal(part, windows)
