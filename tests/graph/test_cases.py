"""What is heard of a person and what is barred, and cases with less of either."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.cases import Cases
from graph.split import hold_out
from tables.dataset import Dataset
from tables.roles import HoldOutRule
from tests.support.cases import cases_of
from tests.tables.folders import Event, dataset_of

DAY = 86_400
ROLES = '[signals]\nplay = "strong"\nfollow = "weak"\nskip = "negative"\n'
IDS = [f"b{item:02d}" for item in range(20)]
RULES = (
    HoldOutRule("leave-last-out"),
    HoldOutRule("time", 1.0),
    HoldOutRule("time-last", 1.0),
    HoldOutRule("random"),
    HoldOutRule("unseen-people"),
    HoldOutRule("unseen-items"),
)


def names(rows: NDArray[np.int64]) -> list[str]:
    return [IDS[row] for row in rows]


def shop(folder: Path, *, splits: bool = False, bought: int = 3) -> Dataset:
    """Forty people buy some things, turn away from one, look at one more and buy that last."""
    events: list[Event] = []
    signals: list[str] = []
    for person in range(40):
        wanted = IDS[person % 20]
        others = [IDS[(person + step) % 20] for step in range(1, bought + 2)]
        for place, item in enumerate([*others, wanted]):
            events.append((f"u{person:02d}", item, 1 + 10 * person + place))
        events.append((f"u{person:02d}", wanted, 5 * DAY + person))
        signals += ["play"] * bought + ["skip", "follow", "play"]
    split = (["train"] * (bought + 2) + ["test" if splits else "train"]) * 40
    return dataset_of(folder, IDS, events, toml=ROLES, signal=signals, split=split)


def check_shop(dataset: Dataset, cases: Cases) -> None:
    """Nobody hears what was skipped; barred is what was bought or skipped, never the target."""
    rows = dataset.interactions
    for case in range(len(cases)):
        own = rows.filter(user_row=int(cases.user_row[case]))
        skipped = own.filter(role="negative")["item_row"].to_list()
        assert not set(skipped) & set(cases.history(case).tolist())
        met = own.filter(role="strong")["item_row"].to_list() + skipped
        assert set(cases.barred(case).tolist()) <= set(met) - {int(cases.target[case])}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_what_somebody_looked_at_before_they_bought_it_can_be_answered(
    rule: HoldOutRule, tmp_path: Path
) -> None:
    dataset = shop(tmp_path, bought=10 if rule.rule == "random" else 3)
    split = hold_out(dataset, rule)
    assert len(split.test) > 1
    assert not split.test.repeated.any()
    assert not split.valid.repeated.any()
    check_shop(dataset, split.test)
    check_shop(dataset, split.valid)


@pytest.mark.parametrize(
    "rule", [RULES[0], RULES[1], RULES[2], RULES[4]], ids=lambda rule: rule.rule
)
def test_the_look_is_heard_and_the_skip_is_barred(rule: HoldOutRule, tmp_path: Path) -> None:
    cases = hold_out(shop(tmp_path), rule).test
    for case in range(len(cases)):
        target = int(cases.target[case])
        bought = [IDS[(target + step) % 20] for step in (1, 2, 3)]
        assert names(cases.history(case)) == [*bought, IDS[target]]
        assert names(cases.barred(case)) == [*bought, IDS[(target + 4) % 20]]


def test_the_data_sets_own_split_bars_by_the_same_rule(tmp_path: Path) -> None:
    dataset = shop(tmp_path, splits=True)
    cases = hold_out(dataset).test
    assert len(cases) == 40
    assert not cases.repeated.any()
    assert (np.diff(cases.barred_indptr) == 4).all()
    check_shop(dataset, cases)


def test_nothing_later_than_the_target_bars(tmp_path: Path) -> None:
    events: list[Event] = [("ann", "b00", 1), ("ann", "b01", 2), ("ann", "b02", 3)]
    events += [("ann", "b03", 4), ("ann", "b02", 5)]
    dataset = dataset_of(
        tmp_path, IDS, events, toml=ROLES, signal=["play", "skip", "play", "skip", "skip"]
    )
    cases = hold_out(dataset).test
    assert names(cases.barred(0)) == ["b00", "b01"]
    assert cases.repeated.tolist() == [False]


def test_what_was_turned_away_or_bought_before_cannot_be_answered(tmp_path: Path) -> None:
    events: list[Event] = []
    for person in ("ann", "bob", "eve"):
        events += [(person, "b00", 1), (person, "b01", 2), (person, "b01", 3)]
    signals = [
        signal for middle in ("skip", "play", "follow") for signal in ("play", middle, "play")
    ]
    cases = hold_out(dataset_of(tmp_path, IDS, events, toml=ROLES, signal=signals)).test
    assert cases.repeated.tolist() == [True, True, False]


def test_an_item_is_unseen_that_nobody_touched_or_that_was_only_turned_away(
    tmp_path: Path,
) -> None:
    events: list[Event] = [("ann", "b00", 1), ("ann", "b02", 2), ("bob", "b01", 1)]
    events += [("bob", "b03", 2), ("eve", "b02", 1), ("eve", "b03", 2), ("eve", "b01", 3)]
    signals = ["play", "play", "play", "play", "follow", "skip", "follow"]
    cases = hold_out(dataset_of(tmp_path, IDS, events, toml=ROLES, signal=signals)).test
    assert names(cases.target) == ["b02", "b03"]
    assert cases.unseen_item.tolist() == [False, True]


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
    assert [heard.barred(0).tolist(), heard.barred(1).tolist()] == [[0], [0]]
    # a flag tells of the whole history: bob has met a film
    assert heard.warm.tolist() == cases.warm.tolist() == [True, True]


def test_taking_and_joining_cases_keeps_what_is_strong_and_what_is_barred(tmp_path: Path) -> None:
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
    taken, joined = cases.take(np.array([1, 0, 1])), cases.joined(cases)
    assert [taken.barred(case).tolist() for case in range(3)] == [[2], [1], [2]]
    assert [joined.barred(case).tolist() for case in range(4)] == [[1], [1], [2], [2]]


def test_a_run_of_cases_shares_history_and_barred_items() -> None:
    barred = [[1], [1], [1, 4], [4, 1], [4, 1], [4, 1]]
    cases = cases_of([[1, 2]] * 5 + [[2, 1]], [5, 6, 7, 8, 9, 5], users=[0] * 6, barred=barred)
    first, run = cases.runs()
    assert first.tolist() == [0, 2, 3, 5]
    assert run.tolist() == [0, 0, 1, 2, 2, 3]


def test_cases_of_fewer_items_are_renumbered_in_all_their_lists() -> None:
    cases = cases_of([[1, 4, 5], [6]], [5, 4], barred=[[9, 4, 1], [6, 5]])
    left = cases.of_items(4, 7)
    assert left.target.tolist() == [1, 0]
    assert [left.history(0).tolist(), left.history(1).tolist()] == [[0, 1], [2]]
    assert [left.barred(0).tolist(), left.barred(1).tolist()] == [[0], [2, 1]]
