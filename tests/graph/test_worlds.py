"""The worlds are what they claim: a plain count finds their answers."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from graph.build import build_graph
from graph.worlds import World, checkerboard, two_communities, write_world
from tables.folder import read_dataset
from tests.tables.folders import NOW

WORLDS = [two_communities(), checkerboard(), two_communities(item_types=("a", "b", "c"), seed=3)]


def counted_answers(world: World) -> dict[str, dict[str, frozenset[str]]]:
    """Rank untouched items by how many items people who chose them share with the person."""
    touched: dict[str, set[str]] = {}
    for user, item in world.interactions.select("user_id", "item_id").iter_rows():
        touched.setdefault(user, set()).add(item)
    kinds = dict(world.items.select("item_id", "item_type").iter_rows())
    answers: dict[str, dict[str, frozenset[str]]] = {}
    for user, own in touched.items():
        score: Counter[str] = Counter()
        for other in touched.values():
            for item in other - own:
                score[item] += len(own & other)
        answers[user] = {
            kind: frozenset(
                [item for item, _ in score.most_common() if kinds[item] == kind][: len(wanted)]
            )
            for kind, wanted in world.answers[user].items()
        }
    return answers


@pytest.mark.parametrize("world", WORLDS)
def test_people_alike_chose_the_answers(world: World) -> None:
    assert counted_answers(world) == world.answers


@pytest.mark.parametrize("world", WORLDS)
def test_nobody_touched_an_answer_of_theirs(world: World) -> None:
    pairs = set(world.interactions.select("user_id", "item_id").iter_rows())
    wanted = {
        (user, item)
        for user, kinds in world.answers.items()
        for items in kinds.values()
        for item in items
    }
    assert wanted
    assert not pairs & wanted


@pytest.mark.parametrize("world", WORLDS)
def test_a_world_is_a_sound_data_set_in_time_order(tmp_path: Path, world: World) -> None:
    write_world(world, tmp_path)
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    assert dataset.problems.notices == ()
    assert len(dataset.interactions) == len(world.interactions)
    assert not dataset.interactions["tied"].any()
    assert len(dataset.item_types) == world.items["item_type"].n_unique()


def test_the_two_communities_share_no_edge(tmp_path: Path) -> None:
    write_world(two_communities(), tmp_path)
    dataset = read_dataset(tmp_path, strict=True, now=NOW)
    built = build_graph(dataset.items, dataset.interactions)
    halves = np.array([int(name[-3:]) // 6 for name in dataset.items["item_id"]])
    for name in ("book-book", "book-film", "film-film", "creator"):
        edges = built.edges(name)
        assert len(edges) > 0
        assert (halves[edges.left] == halves[edges.right]).all()


def test_the_same_seed_makes_the_same_world() -> None:
    assert two_communities(seed=1).interactions.equals(two_communities(seed=1).interactions)
    assert two_communities(seed=1).answers != two_communities(seed=2).answers


def test_a_world_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="two_communities: expected"):
        two_communities(items_per_type=4, withheld=2)
    with pytest.raises(ValueError, match="size: expected an even number from 6 on, got 7"):
        checkerboard(size=7)
