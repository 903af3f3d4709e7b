"""Histories: newest first, never the target or anything after it, never another person's."""

import numpy as np
import polars as pl

from tests.support.cases import cases_of
from tests.support.sequences import sequences_of
from training.histories import Sequences, case_histories


def make_sequences() -> Sequences:
    frame = pl.DataFrame(
        {
            "user_row": [0, 0, 0, 2, 2, 2],
            "item_row": [5, 6, 7, 1, 2, 3],
            "weight": [1.0, 0.5, 1.0, 1.0, 1.0, 1.0],
            "role": ["strong", "weak", "strong", "strong", "negative", "strong"],
            "moment": [1, 2, 2, 1, 1, 2],
        }
    )
    return Sequences.from_interactions(frame, users=4)


def test_negative_signals_are_left_out_and_weak_ones_are_no_targets() -> None:
    sequences = make_sequences()
    assert sequences.indptr.tolist() == [0, 3, 3, 5, 5]
    assert sequences.rows.tolist() == [5, 6, 7, 1, 3]
    assert sequences.strong.tolist() == [True, False, True, True, True]
    assert sequences.user.tolist() == [0, 0, 0, 2, 2]
    assert np.unique(sequences.moment, return_inverse=True)[1].tolist() == [0, 1, 1, 2, 3]


def test_history_ends_before_its_place_and_stays_with_its_person() -> None:
    history = make_sequences().before(np.array([2, 0, 4, 3]), length=10)
    assert history.rows.tolist() == [[6, 5], [0, 0], [1, 0], [0, 0]]
    assert history.weight.tolist() == [[0.5, 1.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]


def test_history_keeps_the_newest_items() -> None:
    history = make_sequences().before(np.array([2, 4]), length=1)
    assert history.rows.tolist() == [[6], [1]]


def test_case_histories_are_those_of_the_part() -> None:
    cases = cases_of([[4, 5, 6], [], [7]], targets=[0, 1, 2])
    history = case_histories(cases, slice(0, 2), length=2)
    assert history.rows.tolist() == [[6, 5], [0, 0]]
    assert history.weight.tolist() == [[1.0, 1.0], [0.0, 0.0]]


def test_nobody_has_a_history() -> None:
    history = case_histories(cases_of([[], []], targets=[0, 1]), slice(0, 2), length=5)
    assert history.rows.shape == (2, 0)


def test_only_what_has_no_order_changes_places() -> None:
    indptr, moment = [0, 5, 8, 8, 10], [1, 1, 1, 2, 3, 0, 0, 1, 4, 4]
    strong = np.arange(10) % 3 > 0
    sequences = sequences_of(indptr, np.arange(10) + 20, strong=strong, moment=moment)
    seen = set()
    for seed in range(40):
        drawn = sequences.redrawn(np.random.default_rng(seed))
        where = drawn.rows - 20
        assert (sequences.user[where] == sequences.user).all()
        assert (sequences.moment[where] == sequences.moment).all()
        assert (drawn.strong == strong[where]).all()
        assert sorted(where.tolist()) == list(range(10))
        seen.add(tuple(where[:3].tolist()))
    assert len(seen) == 6  # every order of three


def test_rows_sorted_otherwise_than_their_moments_keep_their_order() -> None:
    """As where a time cut sorts by time what `seq` had put in another order."""
    frame = pl.DataFrame(
        {
            "user_row": [0, 0, 0],
            "item_row": [7, 5, 6],
            "weight": [1.0, 1.0, 1.0],
            "role": ["strong", "strong", "strong"],
            "moment": [3, 1, 2],
        }
    )
    drawn = Sequences.from_interactions(frame, users=1).redrawn(np.random.default_rng(0))
    assert drawn.rows.tolist() == [7, 5, 6]


def test_a_clear_order_stays() -> None:
    sequences = sequences_of([0, 4, 6], [3, 1, 2, 0, 5, 4])
    drawn = sequences.redrawn(np.random.default_rng(0))
    assert drawn.rows.tolist() == sequences.rows.tolist()
