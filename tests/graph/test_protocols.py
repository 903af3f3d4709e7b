"""Ways to hold out that draw: nothing held out is learned from, and seeds decide."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from graph.cases import Cases
from graph.errors import SplitError
from graph.lending import Split
from graph.protocols import random_rows, unseen_items, unseen_people
from graph.split import hold_out
from tables.dataset import Dataset
from tables.roles import HoldOutRule
from tests.tables.folders import Event, dataset_of

IDS = [f"{'bf'[item % 2]}{item}" for item in range(40)]
PROTOCOLS = (random_rows, unseen_people, unseen_items)
Protocol = Callable[..., Split]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    rng = np.random.default_rng(0)
    events: list[Event] = [
        (f"u{user:03d}", IDS[item], 1000 * user + place)
        for user in range(100)
        for place, item in enumerate(rng.choice(40, 12, replace=False))
    ]
    return dataset_of(tmp_path, IDS, events)


def pairs(rows: pl.DataFrame) -> set[tuple[int, int]]:
    return set(rows.select("user_row", "item_row").iter_rows())


def asked_of(cases: Cases) -> tuple[list[int], list[int]]:
    return cases.user_row.tolist(), cases.target.tolist()


def asked(split: Split) -> set[tuple[int, int]]:
    return {
        pair for cases in (split.test, split.valid) for pair in zip(*asked_of(cases), strict=True)
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_that_is_asked_is_learned_from(protocol: Protocol, dataset: Dataset) -> None:
    split = protocol(dataset)
    assert len(split.test) > 5
    assert len(split.valid) > 2
    assert not asked(split) & pairs(split.train)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_seed_decides(protocol: Protocol, dataset: Dataset) -> None:
    one, same, other = protocol(dataset, seed=1), protocol(dataset, seed=1), protocol(dataset)
    assert asked(one) == asked(same)
    assert asked(one) != asked(other)


def test_unseen_people_are_whole_and_asked_for_their_last(dataset: Dataset) -> None:
    split = unseen_people(dataset)
    rows = dataset.interactions
    assert split.test.unseen_person.all()
    for case in range(len(split.test)):
        own = rows.filter(user_row=int(split.test.user_row[case]))["item_row"].to_list()
        assert [*split.test.history(case).tolist(), int(split.test.target[case])] == own


def test_unseen_items_are_in_no_training_row_and_no_history(dataset: Dataset) -> None:
    split = unseen_items(dataset)
    assert split.test.unseen_item.all()
    held = set(split.test.target.tolist())
    assert not held & set(split.train["item_row"].to_list())
    assert not held & set(split.test.history_rows.tolist())
    assert not held & set(split.valid.target.tolist())
    order = {
        (user, item): place
        for user, item, place in dataset.interactions.select(
            "user_row", "item_row", "order"
        ).iter_rows()
    }
    for case in range(len(split.test)):
        user, target = int(split.test.user_row[case]), int(split.test.target[case])
        history = split.test.history(case).tolist()
        assert all(order[user, item] < order[user, target] for item in history)
        earlier = {item for (of, item), at in order.items() if of == user}
        earlier = {item for item in earlier if order[user, item] < order[user, target]}
        assert set(split.test.barred(case).tolist()) == earlier
    assert any(set(split.test.barred(case).tolist()) & held for case in range(len(split.test)))


def test_random_cases_share_the_persons_training_rows(dataset: Dataset) -> None:
    split = random_rows(dataset)
    learned = pairs(split.train)
    for case in range(len(split.test)):
        user = int(split.test.user_row[case])
        own = {item for person, item in learned if person == user}
        assert set(split.test.history(case).tolist()) == own
        lent = set(split.valid.target[split.valid.user_row == user].tolist())
        assert set(split.test.barred(case).tolist()) == own | lent
        assert lent
    for case in range(len(split.valid)):
        assert set(split.valid.barred(case).tolist()) == set(split.valid.history(case).tolist())
    assert len(split.test) == len(split.valid) == 100
    assert len(split.train) == len(dataset.interactions) - 200


def test_random_cases_are_the_same_whenever_anything_was(tmp_path: Path) -> None:
    whens = {"one": range(40), "other": range(40, 0, -1), "none": [None] * 40}
    splits = [
        random_rows(
            dataset_of(
                tmp_path / name, IDS, [("u1", IDS[item], at) for item, at in enumerate(when)]
            )
        )
        for name, when in whens.items()
    ]
    first, *others = splits
    assert first.test.tied.all()
    assert first.train["moment"].n_unique() == 1
    assert first.test.history(0).tolist() != sorted(first.test.history(0).tolist(), reverse=True)
    for other in others:
        assert first.train.equals(other.train)
        assert first.test.history_rows.tolist() == other.test.history_rows.tolist()
        assert first.test.target.tolist() == other.test.target.tolist()


def test_random_takes_a_tenth_of_each_person_rounded_down(tmp_path: Path) -> None:
    counts = [1, 9, 10, 19, 20, 39]
    events: list[Event] = [
        (f"u{user}", IDS[item], item) for user, count in enumerate(counts) for item in range(count)
    ]
    events += [("u1", IDS[0], 50), ("u1", IDS[1], 51)]  # eleven rows, but nine items
    split = random_rows(dataset_of(tmp_path, IDS, events))
    for cases in (split.test, split.valid):
        assert np.bincount(cases.user_row, minlength=6).tolist() == [0, 0, 1, 1, 2, 3]
    assert not set(zip(*asked_of(split.test), strict=True)) & set(
        zip(*asked_of(split.valid), strict=True)
    )
    left = split.train.group_by("user_row").len().sort("user_row")["len"].to_list()
    assert left == [1, 11, 8, 17, 16, 33]


def test_what_random_draws_of_a_person_does_not_depend_on_others(tmp_path: Path) -> None:
    own: list[Event] = [("u1", IDS[item], item) for item in range(30)]
    others: list[Event] = [("u0", IDS[item], item) for item in range(35)]
    alone, among = (
        dataset_of(tmp_path / name, IDS, events)
        for name, events in (("alone", own), ("among", own + others))
    )
    one, both = random_rows(alone).test, random_rows(among).test
    assert set(one.target.tolist()) == set(both.target[both.user_row == 1].tolist())


def test_random_says_when_nobody_has_ten_items(tmp_path: Path) -> None:
    events: list[Event] = [(f"u{user}", IDS[item], item) for user in range(50) for item in range(9)]
    with pytest.raises(SplitError, match=r"random: nothing was drawn .* with ten items or more"):
        random_rows(dataset_of(tmp_path, IDS, events))


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("random", "random: a tenth of each person's interactions"),
        ("unseen-people", "a tenth of the people, unseen in training"),
        ("unseen-items", "a tenth of the items, unseen in training"),
    ],
)
def test_rules_have_names(rule: str, words: str, dataset: Dataset) -> None:
    assert hold_out(dataset, HoldOutRule(rule)).rule == words  # type: ignore[arg-type]  # a name


def test_under_a_rule_a_data_sets_own_hold_out_takes_no_part(tmp_path: Path) -> None:
    events: list[Event] = [(f"u{user}", IDS[item], item) for user in range(60) for item in range(9)]
    folder = tmp_path / "data"
    whole = dataset_of(folder, IDS, events)
    split = pl.when(pl.col("user_row") < 20).then(pl.lit("test")).otherwise(pl.lit("train"))
    marked = Dataset(
        **{
            **{name: getattr(whole, name) for name in whole.__dataclass_fields__},
            "interactions": whole.interactions.with_columns(split=split),
        }
    )
    assert marked.has_split
    cut = hold_out(marked, HoldOutRule("unseen-people"))
    assert min(cut.train["user_row"].min(), cut.test.user_row.min()) >= 20


@pytest.mark.parametrize("protocol", [unseen_people, unseen_items])
def test_nothing_to_ask_is_an_error_that_says_so(protocol: Protocol, tmp_path: Path) -> None:
    lonely = dataset_of(tmp_path, IDS, [(f"u{user}", IDS[0], 1) for user in range(50)])
    with pytest.raises(SplitError, match="nothing was drawn that could be asked"):
        protocol(lonely)
