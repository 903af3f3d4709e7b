"""Cases with less in their histories: what is asked stays the same."""

from pathlib import Path

import numpy as np

from graph.split import hold_out
from tests.graph.folders import dataset_of

ROLES = '[signals]\nplay = "strong"\nfollow = "weak"\n'


def test_without_weak_signals_the_same_is_asked_of_shorter_histories(tmp_path: Path) -> None:
    events = [("ann", "b0", 1), ("ann", "b1", 2), ("ann", "f0", 3), ("ann", "b2", 4)]
    events += [("bob", "b0", 1), ("bob", "f0", 2), ("bob", "f1", 3)]
    dataset = dataset_of(
        tmp_path,
        ["b0", "b1", "b2", "f0", "f1"],
        events,
        toml=ROLES,
        signal=["play", "follow", "follow", "play", "play", "follow", "play"],
    )
    cases = hold_out(dataset).test
    assert [cases.history(0).tolist(), cases.history(1).tolist()] == [[0, 1, 3], [0, 3]]
    assert cases.history_strong.tolist() == [True, False, False, True, False]
    heard = cases.without_weak()
    assert [heard.history(0).tolist(), heard.history(1).tolist()] == [[0], [0]]
    assert np.array_equal(heard.target, cases.target)
    assert len(heard.history_weight) == 2
    # a flag tells of the whole history: bob has met a film
    assert heard.warm.tolist() == cases.warm.tolist() == [True, True]


def test_taking_and_joining_cases_keeps_what_is_strong(tmp_path: Path) -> None:
    events = [("ann", "b0", 1), ("ann", "b1", 2), ("ann", "f0", 3), ("bob", "f0", 1)]
    dataset = dataset_of(
        tmp_path,
        ["b0", "b1", "f0", "f1"],
        [*events, ("bob", "f1", 2)],
        toml=ROLES,
        signal=["follow", "play", "play", "play", "play"],
    )
    cases = hold_out(dataset).test
    assert cases.take(np.array([1, 0])).history_strong.tolist() == [True, False, True]
    assert cases.joined(cases).history_strong.tolist() == [False, True] * 2 + [True] * 2
