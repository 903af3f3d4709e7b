"""Link samplers: all edges once, or as many of every relation."""

from collections import Counter

import numpy as np
import pytest

from graph.errors import EmptyGraphError
from graph.item_graph import Edges
from graph.links import balanced_counts
from graph.sample import BalancedLinkSampler, LinkBatch, LinkSampler
from tests.graph.graphs import graph_of, random_graph

GRAPH = random_graph(60, 8, seed=0)
EDGES = {
    number: set(zip(edges.left.tolist(), edges.right.tolist(), strict=True))
    for number, name in enumerate(GRAPH.relations.names)
    if len(edges := GRAPH.edges(name))
}


def epoch_of(sampler: LinkSampler, epoch: int) -> LinkBatch:
    batches = list(sampler.iter_epoch(epoch))
    assert len(batches) == len(sampler)
    assert all(len(batch.left) == sampler.batch_size for batch in batches[:-1])
    return LinkBatch(
        *(
            np.concatenate([getattr(batch, name) for batch in batches])
            for name in ("left", "right", "relation")
        )
    )


def drawn(batch: LinkBatch) -> Counter[tuple[int, int, int]]:
    rows = zip(batch.relation.tolist(), batch.left.tolist(), batch.right.tolist(), strict=True)
    return Counter(rows)


def test_the_plain_sampler_gives_every_edge_once_per_epoch() -> None:
    found = drawn(epoch_of(LinkSampler(GRAPH, 32, seed=0), 0))
    everything = {(number, *pair) for number, pairs in EDGES.items() for pair in pairs}
    assert set(found) == everything
    assert max(found.values()) == 1


def test_the_balanced_sampler_gives_all_of_the_rarest_and_as_many_of_the_others() -> None:
    sampler = BalancedLinkSampler(GRAPH, 4, seed=0)
    rarest = min(EDGES, key=lambda number: len(EDGES[number]))
    size = len(EDGES[rarest])
    assert size < max(map(len, EDGES.values()))
    found = drawn(epoch_of(sampler, 0))
    assert max(found.values()) == 1
    per_relation = Counter(number for number, _, _ in found)
    assert per_relation == dict.fromkeys(EDGES, size)
    assert {(a, b) for number, a, b in found if number == rarest} == EDGES[rarest]
    assert all((a, b) in EDGES[number] for number, a, b in found)


def test_each_epoch_draws_afresh_and_the_seed_decides() -> None:
    first = epoch_of(BalancedLinkSampler(GRAPH, 4, seed=5), 0)
    again = epoch_of(BalancedLinkSampler(GRAPH, 4, seed=5), 0)
    next_one = epoch_of(BalancedLinkSampler(GRAPH, 4, seed=5), 1)
    other = epoch_of(BalancedLinkSampler(GRAPH, 4, seed=6), 0)
    assert np.array_equal(first.left, again.left)
    assert np.array_equal(first.right, again.right)
    assert set(drawn(first)) != set(drawn(next_one))
    assert set(drawn(first)) != set(drawn(other))


def test_an_abundant_relation_is_drawn_uniformly() -> None:
    sampler = BalancedLinkSampler(GRAPH, 4, seed=0)
    abundant = max(EDGES, key=lambda number: len(EDGES[number]))
    times: Counter[tuple[int, int, int]] = Counter()
    for epoch in range(400):
        times.update(drawn(epoch_of(sampler, epoch)))
    share = len(EDGES[min(EDGES, key=lambda n: len(EDGES[n]))]) / len(EDGES[abundant])
    counts = np.array([times[abundant, *pair] for pair in EDGES[abundant]])
    spread = np.sqrt(400 * share * (1 - share))
    assert abs(counts - 400 * share).max() < 5 * spread


def test_an_epoch_has_its_least_length_however_rare_a_relation_is() -> None:
    """Relations of 4, 70 and 300 edges, of which each is to give 67, the rarest what it may."""
    left = {name: np.arange(size) for name, size in (("0", 4), ("1", 70), ("2", 300))}
    sampler = BalancedLinkSampler(GRAPH, 20, seed=0)
    sampler.edges = {int(name): Edges(rows, rows + 1) for name, rows in left.items()}
    epoch = epoch_of(sampler, 0)
    assert np.bincount(epoch.relation).tolist() == [40, 67, 67]
    times = drawn(epoch)
    assert {times[0, edge, edge + 1] for edge in range(4)} == {10}
    assert {count for (number, _, _), count in times.items() if number} == {1}
    assert balanced_counts([4, 30, 300], 20) == [40, 67, 67]
    assert balanced_counts([3], 512) == [30]


def test_relations_are_mixed_within_a_batch() -> None:
    first = next(iter(BalancedLinkSampler(GRAPH, 64, seed=0).iter_epoch(0)))
    assert set(first.relation.tolist()) == set(EDGES)
    assert (first.left < first.right).all()


@pytest.mark.parametrize("sampler", [LinkSampler, BalancedLinkSampler])
def test_a_graph_without_edges_is_refused(sampler: type[LinkSampler]) -> None:
    with pytest.raises(EmptyGraphError, match="no edge among 3 items"):
        sampler(graph_of([0, 0, 1], {}), 32, seed=0)


def test_a_batch_holds_at_least_one_edge() -> None:
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        LinkSampler(GRAPH, 0, seed=0)
