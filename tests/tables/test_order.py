"""The order inside a person: time, else seq, ties by a seeded hash."""

from pathlib import Path

import numpy as np

from tables.order import hash_ids, mix, tie_hash, without_order
from tests.tables.folders import dataset_of, named_events

IDS = [f"b{number}" for number in range(8)]


def order_of(folder: Path, seed: int) -> list[str]:
    dataset = dataset_of(folder, IDS, [("ann", one, 5) for one in IDS], seed=seed)
    return [item for _, item in named_events(dataset)]


def test_time_decides(tmp_path: Path) -> None:
    events = [("ann", "b0", 30), ("ann", "b1", 10), ("ann", "b2", 20)]
    dataset = dataset_of(tmp_path, IDS, events, seq=[1, 2, 3])
    assert [item for _, item in named_events(dataset)] == ["b1", "b2", "b0"]
    assert dataset.interactions["order"].to_list() == [0, 1, 2]
    assert not dataset.interactions["tied"].any()


def test_seq_decides_where_a_time_is_missing(tmp_path: Path) -> None:
    events = [("ann", "b0", 30), ("ann", "b1", None), ("ann", "b2", 20)]
    dataset = dataset_of(tmp_path, IDS, events, seq=[2, 1, 3])
    assert [item for _, item in named_events(dataset)] == ["b1", "b0", "b2"]


def test_each_person_has_a_key_of_their_own(tmp_path: Path) -> None:
    events = [("ann", "b0", 30), ("ann", "b1", 10), ("bob", "b0", None), ("bob", "b1", 1)]
    dataset = dataset_of(tmp_path, IDS, events, seq=[1, 2, 1, 2])
    assert named_events(dataset) == [("ann", "b1"), ("ann", "b0"), ("bob", "b0"), ("bob", "b1")]


def test_rows_without_the_key_count_as_oldest(tmp_path: Path) -> None:
    events = [("ann", "b0", 30), ("ann", "b1", None), ("ann", "b2", 20)]
    dataset = dataset_of(tmp_path, IDS, events)
    assert [item for _, item in named_events(dataset)] == ["b1", "b2", "b0"]


def test_a_tie_is_marked_and_does_not_follow_the_file(tmp_path: Path) -> None:
    events = [("ann", one, 5) for one in IDS]
    one = dataset_of(tmp_path / "one", IDS, [*events, ("ann", "b0", 9)])
    other = dataset_of(tmp_path / "other", IDS, [("ann", "b0", 9), *reversed(events)])
    assert named_events(one) == named_events(other)
    assert one.interactions["tied"].to_list() == [True] * 8 + [False]


def test_rows_have_one_moment_where_nothing_orders_them(tmp_path: Path) -> None:
    events = [
        *[("ann", "b0", 5), ("ann", "b1", 9), ("ann", "b2", 5), ("ann", "b3", 9)],
        *[("bob", "b0", None), ("bob", "b1", None), ("bob", "b2", None)],
        *[("eve", "b0", 4), ("eve", "b1", None)],
    ]
    rows = dataset_of(tmp_path, IDS, events).interactions
    moments = [rows.filter(user_row=user)["moment"].to_list() for user in range(3)]
    assert moments == [[1, 1, 2, 2], [0, 0, 0], [0, 1]]


def test_the_seed_decides_ties(tmp_path: Path) -> None:
    assert order_of(tmp_path / "a", 0) == order_of(tmp_path / "b", 0)
    assert order_of(tmp_path / "c", 0) != order_of(tmp_path / "d", 1)


def test_ties_are_broken_evenly() -> None:
    users = hash_ids(f"user {number}" for number in range(4000))
    one, other = hash_ids(["one", "other"])
    first = tie_hash(users, np.full(4000, one), 7) < tie_hash(users, np.full(4000, other), 7)
    assert 1850 < first.sum() < 2150  # 2000 +- 4.7 standard deviations


def test_hashes_are_the_same_for_ever() -> None:
    assert hash_ids(["ann"]).tolist() == [0xA5F323BF6ADF3A8D]
    assert mix(np.array([1], dtype=np.uint64)).tolist() == [0x910A2DEC89025CC1]


def test_nothing_of_the_order_is_left(tmp_path: Path) -> None:
    rising, falling = (
        dataset_of(
            tmp_path / name, IDS, [("ann", one, 9 + step * at) for at, one in enumerate(IDS)]
        )
        for name, step in (("rising", 1), ("falling", -1))
    )
    forgotten = [
        without_order(each.interactions, each.users["user_id"], each.items["item_id"], seed=3)
        for each in (rising, falling)
    ]
    assert forgotten[0].equals(forgotten[1])
    assert set(forgotten[0].columns) == set(rising.interactions.columns)
    assert forgotten[0]["tied"].all()
    assert forgotten[0]["moment"].to_list() == [0] * len(IDS)
    assert forgotten[0]["item_row"].to_list() not in (
        rising.interactions["item_row"].to_list(),
        falling.interactions["item_row"].to_list(),
    )
