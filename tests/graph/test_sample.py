"""Neighbour sampling: uniform, without replacement, seeded, and no removed edge leaks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from graph.sample import Block, sample_blocks, sample_neighbours, weighted_subsets
from tests.graph.graphs import graph_of, random_graph

# What chi-square exceeds once in 10,000, by degrees of freedom.
CHI2_11, CHI2_65 = 37.37, 116.16
STAR = graph_of([0] * 13, {(0, 0): range(1, 13)})


def lists_of(block: Block) -> list[list[set[int]]]:
    """Item rows of the neighbours per destination and slot."""
    return [
        [{int(block.rows[place]) for place in slot if place >= 0} for slot in node]
        for node in block.neighbours
    ]


def check_block(block: Block, rows: NDArray[np.int64]) -> None:
    """Whatever holds of every block."""
    others = block.rows[len(rows) :]
    assert block.rows[: len(rows)].tolist() == rows.tolist()
    assert (np.diff(others) > 0).all()
    assert not np.isin(others, rows).any()
    used = block.neighbours[block.neighbours >= 0]
    assert block.neighbours.min(initial=-1) == -1
    assert np.isin(np.arange(len(rows), len(block.rows)), used).all()


@pytest.mark.parametrize("fanout", [1, 3, 11])
def test_every_neighbour_is_drawn_equally_often(fanout: int) -> None:
    draws = 6000
    drawn = sample_neighbours(
        STAR, np.zeros(draws, dtype=np.int64), fanout, np.random.default_rng(7)
    )[:, 0]
    counts = np.bincount(drawn.ravel(), minlength=13)[1:]
    expected = draws * fanout / 12
    # without replacement the counts vary less, by (12 - fanout) / 11
    statistic = ((counts - expected) ** 2 / expected).sum() * 11 / (12 - fanout)
    assert statistic < CHI2_11


def test_every_pair_of_neighbours_is_drawn_equally_often() -> None:
    draws = 66_000
    drawn = sample_neighbours(STAR, np.zeros(draws, dtype=np.int64), 2, np.random.default_rng(8))
    ordered = np.sort(drawn[:, 0], axis=1)
    _, counts = np.unique(ordered[:, 0] * 13 + ordered[:, 1], return_counts=True)
    assert len(counts) == 66
    assert ((counts - 1000) ** 2 / 1000).sum() < CHI2_65


@settings(deadline=None)
@given(items=st.integers(2, 30), degree=st.integers(0, 12), fanout=st.integers(0, 8))
def test_a_draw_holds_distinct_neighbours_as_many_as_there_are(
    items: int, degree: int, fanout: int
) -> None:
    graph = random_graph(items, degree, seed=items * 100 + degree)
    rows = np.arange(items)
    drawn = sample_neighbours(graph, rows, fanout, np.random.default_rng(0))
    assert drawn.shape == (items, 3, fanout)
    sizes = np.minimum(graph.degree(rows), fanout)
    for row in rows:
        for slot in range(3):
            found = drawn[row, slot].tolist()
            size = int(sizes[row, slot])
            whole = graph.dense_slot(rows[row : row + 1], slot)[0].tolist()
            assert set(found[:size]) <= set(whole)
            assert len(set(found[:size])) == size
            assert found[size:] == [-1] * (fanout - size)


def test_no_rows_give_no_answer() -> None:
    drawn = sample_neighbours(STAR, np.empty(0, dtype=np.int64), 4, np.random.default_rng(0))
    assert drawn.shape == (0, 2, 4)


def test_a_graph_without_edges_gives_no_neighbour() -> None:
    bare = graph_of([0, 0, 1], {})
    block = sample_blocks(bare, np.array([2, 0]), (3,), np.random.default_rng(0))[0]
    assert block.rows.tolist() == [2, 0]
    assert block.neighbours.tolist() == [[[-1] * 3] * 2] * 2


def test_the_seed_decides_the_draw_and_draws_differ() -> None:
    graph = random_graph(60, 20, seed=0)
    rows = np.arange(60)
    rng = np.random.default_rng(3)
    first, second = (sample_neighbours(graph, rows, 4, rng) for _ in range(2))
    again = sample_neighbours(graph, rows, 4, np.random.default_rng(3))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_lists_in_another_order_are_drawn_from_as_evenly() -> None:
    one = graph_of([0] * 13, {(0, 0): [*range(12, 0, -1)]})
    rows = np.zeros(6000, dtype=np.int64)
    drawn = sample_neighbours(one, rows, 3, np.random.default_rng(5))
    counts = np.bincount(drawn[:, 0].ravel(), minlength=13)[1:]
    assert ((counts - 1500) ** 2 / 1500).sum() * 11 / 9 < CHI2_11


def test_blocks_come_outermost_first_and_hold_each_source_once() -> None:
    graph = random_graph(80, 6, seed=2)
    rows = np.array([70, 3, 41])
    blocks = sample_blocks(graph, rows, (2, 5), np.random.default_rng(0))
    outer, inner = blocks
    check_block(inner, rows)
    check_block(outer, inner.rows)
    assert inner.neighbours.shape == (3, 3, 2)
    assert outer.neighbours.shape == (len(inner.rows), 3, 5)
    for block in blocks:
        for row, slots in zip(block.rows, lists_of(block), strict=False):
            for slot, found in enumerate(slots):
                assert found <= set(graph.dense_slot(np.array([row]), slot)[0].tolist())


def test_rows_asked_for_twice_are_answered_twice() -> None:
    graph = random_graph(30, 4, seed=2)
    rows = np.array([5, 5, 9])
    block = sample_blocks(graph, rows, (9,), np.random.default_rng(0))[0]
    assert block.rows[:3].tolist() == [5, 5, 9]
    found = lists_of(block)
    assert found[0] == found[1]


@pytest.mark.parametrize("fanout", [3, 99])
def test_no_removed_edge_passes_in_either_direction_in_any_hop(fanout: int) -> None:
    graph = random_graph(50, 12, seed=4)
    edges = graph.edges("book-film")
    removed = np.stack([edges.left[::2], edges.right[::2]], axis=1)
    removed[::2] = removed[::2, ::-1]
    gone = {frozenset(pair) for pair in removed.tolist()}
    rng = np.random.default_rng(1)
    for _ in range(20):
        rows = rng.choice(50, 20, replace=False)
        for block in sample_blocks(graph, rows, (fanout, fanout), rng, removed=removed):
            for row, slots in zip(block.rows.tolist(), lists_of(block), strict=False):
                for found in slots:
                    assert not any(frozenset((row, one)) in gone for one in found)


def test_without_removal_the_same_edges_do_pass() -> None:
    graph = random_graph(50, 12, seed=4)
    edges = graph.edges("book-film")
    pairs = {
        frozenset(pair) for pair in zip(edges.left.tolist(), edges.right.tolist(), strict=True)
    }
    block = sample_blocks(graph, np.arange(50), (99,), np.random.default_rng(0))[0]
    seen = {
        frozenset((row, one))
        for row, slots in zip(block.rows.tolist(), lists_of(block), strict=False)
        for found in slots
        for one in found
    }
    assert pairs <= seen


def test_removal_takes_out_nothing_else() -> None:
    graph = random_graph(50, 12, seed=4)
    edges = graph.edges("film-film")
    removed = np.stack([edges.left[:30], edges.right[:30]], axis=1)
    rows = np.arange(50)
    sampled = sample_blocks(graph, rows, (99,), np.random.default_rng(0), removed=removed)[0]
    cut = sample_blocks(graph.without(removed), rows, (99,), np.random.default_rng(0))[0]
    assert lists_of(sampled) == lists_of(cut)


def test_removing_no_edge_changes_nothing() -> None:
    graph = random_graph(50, 12, seed=4)
    none = np.empty((0, 2), dtype=np.int64)
    rows = np.arange(10)
    one = sample_blocks(graph, rows, (4, 4), np.random.default_rng(0), removed=none)
    other = sample_blocks(graph, rows, (4, 4), np.random.default_rng(0))
    for with_none, without in zip(one, other, strict=True):
        assert np.array_equal(with_none.rows, without.rows)
        assert np.array_equal(with_none.neighbours, without.neighbours)


def test_a_pair_that_is_removed_stays_uniform_among_the_rest() -> None:
    rows = np.zeros(9000, dtype=np.int64)
    removed = np.array([[4, 0]])
    drawn = sample_blocks(STAR, rows, (3,), np.random.default_rng(2), removed=removed)[0]
    counts = np.bincount(drawn.rows[drawn.neighbours[:, 0][drawn.neighbours[:, 0] >= 0]])[1:]
    assert counts[3] == 0
    rest = np.delete(counts, 3)
    expected = 9000 * 3 / 12
    assert ((rest - expected) ** 2 / expected).sum() * 11 / 9 < CHI2_11


def test_a_weighted_draw_of_one_follows_the_weights() -> None:
    draws = 20_000
    rows = np.zeros(draws, dtype=np.int64)
    drawn = sample_neighbours(STAR, rows, 1, np.random.default_rng(4), weighted_subsets)[:, 0, 0]
    counts = np.bincount(drawn, minlength=13)[1:]
    expected = STAR.weights / STAR.weights.sum() * draws  # 1, 1/2, 1/3, ...
    assert ((counts - expected) ** 2 / expected).sum() < CHI2_11


def test_a_weighted_draw_holds_distinct_neighbours_the_heavy_ones_more_often() -> None:
    rows = np.zeros(4000, dtype=np.int64)
    drawn = sample_neighbours(STAR, rows, 5, np.random.default_rng(4), weighted_subsets)[:, 0]
    assert (np.diff(np.sort(drawn, axis=1), axis=1) > 0).all()
    assert drawn.min() >= 1
    counts = np.bincount(drawn.ravel(), minlength=13)[1:]
    assert (np.diff(counts) < 100).all()
    assert counts[0] > 2 * counts[-1]
    everything = sample_neighbours(STAR, rows[:1], 12, np.random.default_rng(4), weighted_subsets)
    assert sorted(everything[0, 0].tolist()) == list(range(1, 13))
