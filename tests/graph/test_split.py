"""Hold-out rules: the right targets, and nothing later than the cut visible."""

from pathlib import Path

import numpy as np
import pytest

from graph.build import GraphSettings, build_graph
from graph.cases import Cases, ranges
from graph.errors import SplitError
from graph.item_graph import ItemGraph
from graph.split import (
    Split,
    dataset_split,
    hold_out,
    keep_all,
    leave_last_out,
    time_cut,
    time_last,
)
from tables.dataset import Dataset
from tables.roles import HoldOutRule
from tests.tables.folders import Event, dataset_of

DAY = 86_400
ROLES = '[signals]\nplay = "strong"\nfollow = "weak"\nskip = "negative"\n'


def named_cases(dataset: Dataset, cases: Cases) -> list[tuple[str, str, list[str]]]:
    users = dataset.users["user_id"].to_list()
    items = dataset.items["item_id"].to_list()
    return [
        (users[cases.user_row[c]], items[cases.target[c]], [items[i] for i in cases.history(c)])
        for c in range(len(cases))
    ]


def trained(dataset: Dataset, split: Split) -> list[tuple[str, str]]:
    users = dataset.users["user_id"].to_list()
    items = dataset.items["item_id"].to_list()
    rows = split.train.select("user_row", "item_row").iter_rows()
    return [(users[user], items[item]) for user, item in rows]


def some_events(rng: np.random.Generator, people: int = 40, items: int = 12) -> list[Event]:
    return [
        (f"u{user:02d}", f"{'bf'[item % 2]}{item}", int(rng.integers(1, 100 * DAY)))
        for user in range(people)
        for item in rng.choice(items, 7, replace=False)
    ]


IDS = [f"{'bf'[item % 2]}{item}" for item in range(12)]
SMALL = GraphSettings(min_users=1, shrinkage=0.0)


def graphs_equal(one: ItemGraph, other: ItemGraph) -> bool:
    names = ("indptr", "neighbours", "weights", "users", "people")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_leave_last_out_takes_the_last_two_of_each_person(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "f1", 2), ("ann", "b2", 3), ("ann", "f2", 4)]
    events += [("bob", "b1", 1), ("bob", "f1", 2), ("eve", "b1", 1)]
    dataset = dataset_of(tmp_path, ["b1", "b2", "f1", "f2"], events)
    split = leave_last_out(dataset)
    assert named_cases(dataset, split.test) == [
        ("ann", "f2", ["b1", "f1", "b2"]),
        ("bob", "f1", ["b1"]),
    ]
    assert named_cases(dataset, split.valid) == [("ann", "b2", ["b1", "f1"])]
    assert trained(dataset, split) == [("ann", "b1"), ("ann", "f1"), ("bob", "b1"), ("eve", "b1")]
    assert split.test.warm.tolist() == [True, False]
    assert split.test.unseen_item.tolist() == [True, False]


def test_weak_signals_make_history_but_no_target_and_negative_ones_neither(
    tmp_path: Path,
) -> None:
    events = [("ann", "b1", 1), ("ann", "b2", 2), ("ann", "b3", 3), ("ann", "f1", 4)]
    events += [("ann", "f2", 5)]
    dataset = dataset_of(
        tmp_path,
        ["b1", "b2", "b3", "f1", "f2"],
        events,
        toml=ROLES,
        signal=["play", "follow", "skip", "play", "follow"],
        weight=[1.0, 0.5, 1.0, 1.0, 1.0],
    )
    split = leave_last_out(dataset)
    assert named_cases(dataset, split.test) == [("ann", "f1", ["b1", "b2"])]
    assert split.test.history_weight.tolist() == [1.0, 0.5]
    assert trained(dataset, split) == [("ann", "b1"), ("ann", "b2"), ("ann", "b3")]


def test_a_target_met_before_and_a_target_in_a_tie_are_marked(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "b1", 2), ("bob", "b1", 1), ("bob", "b2", 1)]
    dataset = dataset_of(tmp_path, ["b1", "b2"], events)
    split = leave_last_out(dataset)
    assert split.test.repeated.tolist() == [True, False]
    assert split.test.tied.tolist() == [False, True]


def test_leave_last_out_without_a_second_interaction_is_refused(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, ["b1"], [("ann", "b1", 1), ("bob", "b1", 1)])
    with pytest.raises(SplitError, match="nobody has two"):
        leave_last_out(dataset)


def test_time_cut_asks_for_the_first_of_each_type_after_the_cut(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "f1", DAY), ("bob", "b1", 2), ("bob", "f1", 3)]
    late = [("ann", "b2", 10 * DAY), ("ann", "f2", 10 * DAY + 1), ("ann", "b3", 10 * DAY + 2)]
    new = [("eve", "f1", 10 * DAY + 3)]
    dataset = dataset_of(tmp_path, ["b1", "b2", "b3", "f1", "f2"], [*events, *late, *new])
    split = time_cut(dataset, 1.0)
    assert named_cases(dataset, split.test) == [
        ("ann", "b2", ["b1", "f1"]),
        ("ann", "f2", ["b1", "f1"]),
        ("eve", "f1", []),
    ]
    assert split.test.unseen_person.tolist() == [False, False, True]
    assert max(split.train["timestamp"].to_list()) <= DAY
    lent = named_cases(dataset, split.valid)
    assert len(lent) == 1
    assert set(trained(dataset, split)) == {
        (user, item) for user, item, _ in events if (user, item) != lent[0][:2]
    }


def test_time_last_asks_for_the_last_with_all_that_came_before_it(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "f1", DAY), ("bob", "b1", 2), ("bob", "f1", 3)]
    late = [("ann", "b2", 10 * DAY), ("ann", "f2", 10 * DAY + 1), ("eve", "b1", 10 * DAY + 2)]
    new = [("eve", "b3", 10 * DAY + 3), ("joe", "b2", 10 * DAY + 4)]
    dataset = dataset_of(tmp_path, ["b1", "b2", "b3", "f1", "f2"], [*events, *late, *new])
    split = time_last(dataset, 1.0)
    assert split.rule == "time-last: the last 1 days"
    assert named_cases(dataset, split.test) == [
        ("ann", "f2", ["b1", "f1", "b2"]),
        ("eve", "b3", ["b1"]),
    ]
    assert split.test.unseen_person.tolist() == [False, True]
    assert split.test.unseen_item.tolist() == [True, True]
    assert max(split.train["timestamp"].to_list()) <= DAY
    assert len(split.train) + len(split.valid) == len(events)
    with pytest.raises(SplitError, match="nobody did anything before the last one"):
        time_last(dataset_of(tmp_path / "few", ["b1"], [("a", "b1", 1), ("b", "b1", 9 * DAY)]), 1.0)


def test_the_held_out_end_is_as_long_as_asked(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "b2", 3 * DAY), ("ann", "b3", 4 * DAY)]
    dataset = dataset_of(tmp_path, ["b1", "b2", "b3"], [*events, ("bob", "b1", 1)])
    assert named_cases(dataset, time_cut(dataset, 1.0).test) == [("ann", "b3", ["b1", "b2"])]
    assert named_cases(dataset, time_cut(dataset, 1.1).test) == [("ann", "b2", ["b1"])]


def test_moving_a_future_interaction_changes_neither_graph_nor_history(tmp_path: Path) -> None:
    events = some_events(np.random.default_rng(3))
    cut = max(time or 0 for _, _, time in events) - 14 * DAY
    last = max(range(len(events)), key=lambda i: events[i][2] or 0)
    late = [i for i, (_, _, time) in enumerate(events) if time and time > cut and i != last]
    moved = list(events)
    for i in late:  # elsewhere in the future, with another item
        user, _, time = moved[i]
        moved[i] = (user, IDS[i % len(IDS)], (time or 0) - ((time or 0) - cut) // 2)
    one = dataset_of(tmp_path / "one", IDS, events)
    other = dataset_of(tmp_path / "other", IDS, moved)
    before, after = time_cut(one, 14.0), time_cut(other, 14.0)
    assert len(late) > 20
    assert not one.interactions.equals(other.interactions)
    assert before.train.equals(after.train)
    assert graphs_equal(
        build_graph(one.items, before.train, SMALL), build_graph(other.items, after.train, SMALL)
    )
    histories = [
        {user: history for user, _, history in named_cases(data, split.test)}
        for data, split in ((one, before), (other, after))
    ]
    assert histories[0] == histories[1]


def test_moving_the_last_interaction_changes_no_graph_and_no_history_of_leave_last_out(
    tmp_path: Path,
) -> None:
    events = some_events(np.random.default_rng(4))
    last = {user: max(time or 0 for who, _, time in events if who == user) for user, _, _ in events}
    moved = [
        (user, IDS[i % len(IDS)], time + 50 * DAY) if time == last[user] else (user, item, time)
        for i, (user, item, time) in enumerate(events)
    ]
    one = dataset_of(tmp_path / "one", IDS, events)
    other = dataset_of(tmp_path / "other", IDS, moved)
    before, after = leave_last_out(one), leave_last_out(other)
    assert graphs_equal(
        build_graph(one.items, before.train, SMALL), build_graph(other.items, after.train, SMALL)
    )
    assert not np.array_equal(before.test.target, after.test.target)
    assert np.array_equal(before.test.history_rows, after.test.history_rows)
    assert np.array_equal(before.valid.target, after.valid.target)


def test_rows_without_a_time_are_left_out_of_a_time_cut(tmp_path: Path) -> None:
    events = [("ann", "b1", None), ("ann", "b2", 1), ("ann", "b3", 2), ("ann", "b1", 9 * DAY)]
    dataset = dataset_of(tmp_path, ["b1", "b2", "b3"], events)
    split = time_cut(dataset, 1.0)
    assert named_cases(dataset, split.test) == [("ann", "b1", ["b2", "b3"])]


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([("ann", "b1", None)], "no interaction has a timestamp"),
        (
            [("ann", "b1", 5), ("ann", "b1", 6)],
            r"no interaction before the last 14 days \(hold_out\.days of dataset\.toml\)",
        ),
    ],
)
def test_a_time_cut_that_leaves_nothing_is_refused(
    tmp_path: Path, events: list[Event], message: str
) -> None:
    dataset = dataset_of(tmp_path, ["b1"], events)
    with pytest.raises(SplitError, match=message):
        time_cut(dataset, 14.0)


OWN: list[tuple[str, str, int, str]] = [
    ("ann", "b1", 1, "train"),
    ("ann", "b2", 2, "train"),
    ("ann", "b3", 3, "test_cold"),
    ("ann", "f9", 4, "test_warm"),
    ("bob", "b1", 1, "train"),
    ("bob", "b2", 2, "train"),
    ("bob", "f1", 3, "valid"),
    ("eve", "b1", 1, "test_warm"),
    ("eve", "b2", 2, "test_warm"),
    ("eve", "f1", 3, "test_warm"),
]


def own_dataset(folder: Path, rows: list[tuple[str, str, int, str]]) -> Dataset:
    ids = ["b1", "b2", "b3", "f1", "f9"]
    return dataset_of(folder, ids, [row[:3] for row in rows], split=[row[3] for row in rows])


def test_the_data_sets_own_split_is_followed(tmp_path: Path) -> None:
    dataset = own_dataset(tmp_path, OWN)
    split = hold_out(dataset)
    assert named_cases(dataset, split.test) == [
        ("ann", "b3", ["b1", "b2"]),
        ("ann", "f9", ["b1", "b2"]),
        ("eve", "f1", ["b1", "b2"]),
    ]
    assert split.test.slice_name.tolist() == ["test_cold", "test_warm", "test_warm"]
    assert split.test.unseen_person.tolist() == [False, False, True]
    assert split.test.unseen_item.tolist() == [True, True, True]
    assert named_cases(dataset, split.valid) == [("bob", "f1", ["b1", "b2"])]
    assert set(split.train["split"]) == {"train"}
    assert len(split.train) == 4


def test_own_valid_rows_are_seen_by_test_and_heard_if_older(tmp_path: Path) -> None:
    rows = [
        ("ann", "b1", 1, "train"),
        ("ann", "b2", 2, "valid"),
        ("ann", "b3", 3, "test"),
        ("bob", "b1", 1, "train"),
        ("bob", "b3", 2, "test"),
        ("bob", "b2", 3, "valid"),
        ("eve", "b2", 1, "valid"),
        ("eve", "b1", 2, "valid"),
    ]
    dataset = own_dataset(tmp_path, rows)
    split = hold_out(dataset)
    assert named_cases(dataset, split.test) == [("ann", "b3", ["b1", "b2"]), ("bob", "b3", ["b1"])]
    ids = dataset.items["item_id"]
    assert [sorted(ids[split.test.barred(case).tolist()]) for case in (0, 1)] == [["b1", "b2"]] * 2
    heard = {person: past for person, _, past in named_cases(dataset, split.valid)}
    assert heard == {"ann": ["b1"], "bob": ["b1"], "eve": ["b2"]}


def test_what_somebody_chose_again_in_a_held_out_part_is_asked_once(tmp_path: Path) -> None:
    rows = [("ann", "b1", 1, "train"), ("ann", "b2", 2, "test_warm"), ("ann", "b3", 3, "test_warm")]
    rows += [("ann", "b2", 4, "test_warm"), ("ann", "b2", 5, "test_cold")]
    dataset = own_dataset(tmp_path, rows)
    cases = hold_out(dataset).test
    assert [target for _, target, _ in named_cases(dataset, cases)] == ["b2", "b3", "b2"]
    assert cases.slice_name.tolist() == ["test_warm", "test_warm", "test_cold"]
    assert not cases.repeated.any()


def test_without_test_rows_valid_is_reported_and_train_people_lend_for_early_stopping(
    tmp_path: Path,
) -> None:
    rows = [
        (f"u{n}", item, time, "train")
        for n in range(30)
        for time, item in enumerate(["b1", "b2", "f1"])
    ]
    rows += [("vic", "b1", 1, "valid"), ("vic", "b2", 2, "valid"), ("vic", "f1", 3, "valid")]
    dataset = own_dataset(tmp_path, rows)
    split = dataset_split(dataset, seed=1)
    assert named_cases(dataset, split.test) == [("vic", "f1", ["b1", "b2"])]
    assert 0 < len(split.valid) < 15
    assert {(target, tuple(past)) for _, target, past in named_cases(dataset, split.valid)} == {
        ("f1", ("b1", "b2"))
    }
    assert len(split.train) == 90 - len(split.valid)
    again = dataset_split(dataset, seed=1)
    assert np.array_equal(again.valid.user_row, split.valid.user_row)
    lenders = {tuple(dataset_split(dataset, seed=seed).valid.user_row) for seed in range(5)}
    assert len(lenders) > 1


def test_a_split_column_that_holds_nothing_out_counts_as_none(tmp_path: Path) -> None:
    rows = [("ann", "b1", 1, "train"), ("ann", "b2", 2, "train")]
    dataset = own_dataset(tmp_path, rows)
    assert not dataset.has_split
    assert hold_out(dataset).rule == "leave-last-out"


def test_a_split_without_train_rows_is_refused(tmp_path: Path) -> None:
    dataset = own_dataset(tmp_path, [("ann", "b1", 1, "test"), ("ann", "b2", 2, "test")])
    for cut in (hold_out, keep_all):
        with pytest.raises(SplitError, match="no row says train"):
            cut(dataset)


def test_the_rule_of_dataset_toml_is_used_and_an_argument_wins(tmp_path: Path) -> None:
    events = [("ann", "b1", 1), ("ann", "b2", 2), ("ann", "b1", 5 * DAY)]
    dataset = dataset_of(
        tmp_path, ["b1", "b2"], events, toml='[hold_out]\nrule = "time"\ndays = 2\n'
    )
    assert hold_out(dataset).rule == "time: the last 2 days"
    assert hold_out(dataset, HoldOutRule()).rule == "leave-last-out"


def test_keeping_all_reports_nothing_and_learns_from_all_but_what_is_lent(tmp_path: Path) -> None:
    events = some_events(np.random.default_rng(0))
    dataset = dataset_of(tmp_path, IDS, events)
    split = keep_all(dataset)
    assert len(split.test) == 0
    assert 0 < len(split.valid) < 12
    assert len(split.train) == len(events) - len(split.valid)


def test_taking_cases_keeps_their_histories(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, IDS, some_events(np.random.default_rng(0)))
    cases = leave_last_out(dataset).test
    taken = cases.take(np.array([7, 3, 3], dtype=np.int64))
    expected = [named_cases(dataset, cases)[c] for c in (7, 3, 3)]
    assert named_cases(dataset, taken) == expected


def test_ranges_are_laid_end_to_end() -> None:
    indptr, flat = ranges(np.array([5, 2, 9]), np.array([7, 2, 12]))
    assert indptr.tolist() == [0, 2, 2, 5]
    assert flat.tolist() == [5, 6, 9, 10, 11]


def test_every_history_is_what_a_slow_loop_finds(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path, IDS, some_events(np.random.default_rng(9)))
    rows = dataset.interactions.sort("user_row", "order")
    expected = [
        (user, items[-1], items[:-1])
        for (user,), items in (
            (key, part["item_row"].to_list())
            for key, part in rows.group_by("user_row", maintain_order=True)
        )
    ]
    cases = leave_last_out(dataset).test
    found = [
        (int(cases.user_row[c]), int(cases.target[c]), cases.history(c).tolist())
        for c in range(len(cases))
    ]
    assert found == expected
