from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from export.errors import RunError
from export.networks import Networks, all_neighbours, check_catalogue, export_networks
from export.run import RunParts, read_run
from graph.worlds import two_communities
from tests.support.runs import QUICK, make_run


def test_the_vectors_of_a_run_are_what_its_networks_make_of_text_and_graph(
    parts: RunParts, networks: Networks
) -> None:
    check_catalogue(parts, networks.models)


@pytest.mark.parametrize("aggregation", ["mean", "attention"])
def test_so_they_are_with_other_settings_that_serve(
    tmp_path: Path, aggregation: Literal["mean", "attention"]
) -> None:
    settings = replace(
        QUICK,
        graph=replace(QUICK.graph, weighting="plain", content_relations=()),
        foundation=replace(
            QUICK.foundation, aggregation=aggregation, sampler="all", draw="weighted"
        ),
    )
    run = make_run(tmp_path, two_communities(), holding="nothing", settings=settings)
    other = read_run(run.folder)
    assert other.network.config.aggregation == aggregation
    check_catalogue(other, export_networks(other, lambda line: None).models)


def test_whole_neighbour_lists_are_given(parts: RunParts) -> None:
    rows = np.arange(parts.graph.num_items)

    near = all_neighbours(parts.graph, rows)

    assert (near >= 0).sum() == len(parts.graph.neighbours)


def test_an_adaptation_over_another_foundation_is_named(
    parts: RunParts, networks: Networks
) -> None:
    stale = replace(parts, item_vectors=np.roll(parts.item_vectors, 1, axis=0))

    with pytest.raises(RunError, match=r"adaptation/item_vectors\.npy: is not what the network"):
        check_catalogue(stale, networks.models)


def test_a_foundation_over_another_graph_is_named(parts: RunParts, networks: Networks) -> None:
    graph = parts.graph
    other = replace(
        graph,
        indptr=np.zeros_like(graph.indptr),
        neighbours=graph.neighbours[:0],
        weights=graph.weights[:0],
        users=graph.users[:0],
    )

    with pytest.raises(RunError, match=r"foundation/layer_1\.npy: is not what the network"):
        check_catalogue(replace(parts, graph=other), networks.models)


def test_hidden_layers_are_compared_too(parts: RunParts, networks: Networks) -> None:
    layer = np.array(parts.layers[0])
    layer[3] += 1

    with pytest.raises(RunError, match=r"foundation/layer_1\.npy"):
        check_catalogue(replace(parts, layers=(layer,)), networks.models)


def test_a_vector_that_is_not_a_number_is_named(parts: RunParts, networks: Networks) -> None:
    vectors = np.array(parts.hgnn)
    vectors[0, 0] = np.nan

    with pytest.raises(RunError, match=r"foundation/vectors\.npy"):
        check_catalogue(replace(parts, hgnn=vectors), networks.models)
