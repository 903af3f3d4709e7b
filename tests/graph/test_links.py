"""Link samplers: all edges once, or as many of every relation."""

from collections import Counter

import numpy as np
import pytest

from graph.errors import EmptyGraphError
from graph.links import SAMPLERS, EdgeCounts, LinkBatch, LinkSampler, balanced, uniform
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
    sampler = LinkSampler(GRAPH, 4, seed=0, counts=balanced)
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
    first = epoch_of(LinkSampler(GRAPH, 4, seed=5, counts=balanced), 0)
    again = epoch_of(LinkSampler(GRAPH, 4, seed=5, counts=balanced), 0)
    next_one = epoch_of(LinkSampler(GRAPH, 4, seed=5, counts=balanced), 1)
    other = epoch_of(LinkSampler(GRAPH, 4, seed=6, counts=balanced), 0)
    assert np.array_equal(first.left, again.left)
    assert np.array_equal(first.right, again.right)
    assert set(drawn(first)) != set(drawn(next_one))
    assert set(drawn(first)) != set(drawn(other))


def test_an_abundant_relation_is_drawn_uniformly() -> None:
    sampler = LinkSampler(GRAPH, 4, seed=0, counts=balanced)
    abundant = max(EDGES, key=lambda number: len(EDGES[number]))
    times: Counter[tuple[int, int, int]] = Counter()
    for epoch in range(400):
        times.update(drawn(epoch_of(sampler, epoch)))
    share = len(EDGES[min(EDGES, key=lambda n: len(EDGES[n]))]) / len(EDGES[abundant])
    counts = np.array([times[abundant, *pair] for pair in EDGES[abundant]])
    spread = np.sqrt(400 * share * (1 - share))
    assert abs(counts - 400 * share).max() < 5 * spread


def test_an_epoch_has_its_least_length_however_rare_a_relation_is() -> None:
    """Each relation is to give 67, the rarest what it may."""
    assert balanced([4, 70, 300], 20) == [40, 67, 67]
    assert balanced([4, 30, 300], 20) == [40, 67, 67]
    assert balanced([80, 90], 4) == [80, 80]
    assert balanced([3], 512) == [30]


def test_what_is_given_more_often_than_there_is_is_given_evenly() -> None:
    times = drawn(epoch_of(LinkSampler(GRAPH, 200, seed=0, counts=balanced), 0))
    sizes = {number: len(pairs) for number, pairs in EDGES.items()}
    wanted = dict(zip(sizes, balanced(list(sizes.values()), 200), strict=True))
    assert any(wanted[number] > size for number, size in sizes.items())
    for number, size in sizes.items():
        counts = [times[number, *pair] for pair in EDGES[number]]
        assert sum(counts) == wanted[number]
        assert set(counts) <= {wanted[number] // size, wanted[number] // size + 1}


def test_a_uniform_epoch_is_as_long_and_relations_have_their_share() -> None:
    sizes = [100, 300, 600]
    assert uniform(sizes, 1) == [30, 90, 180]
    assert sum(balanced(sizes, 1)) == 300
    assert uniform([1, 1000], 1) == [1, 10]


def test_relations_are_mixed_within_a_batch() -> None:
    first = next(iter(LinkSampler(GRAPH, 64, seed=0, counts=balanced).iter_epoch(0)))
    assert set(first.relation.tolist()) == set(EDGES)
    assert (first.left < first.right).all()


@pytest.mark.parametrize("counts", SAMPLERS.values())
def test_a_graph_without_edges_is_refused(counts: EdgeCounts) -> None:
    with pytest.raises(EmptyGraphError, match="no edge among 3 items"):
        LinkSampler(graph_of([0, 0, 1], {}), 32, seed=0, counts=counts)


def test_a_batch_holds_at_least_one_edge() -> None:
    with pytest.raises(ValueError, match="batch_size: expected at least 1, got 0"):
        LinkSampler(GRAPH, 0, seed=0)
