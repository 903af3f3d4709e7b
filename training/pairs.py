"""The pair table of a run: who may speak for whom, and five weights for what is said."""

from collections.abc import Callable

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.build import strong_pairs, within
from graph.influence import Speakers, learn_influence, set_moments
from graph.item_graph import ItemGraph
from graph.settings import GraphSettings
from graph.succession import succession_moments
from retrieval.evidence import EDGE_KINDS
from retrieval.pairwise import PairTable
from training.fusion import FusionSettings
from training.histories import Sequences


def build_pairs(
    graph: ItemGraph,
    interactions: pl.DataFrame,
    edges: GraphSettings,
    settings: FusionSettings,
    *,
    on_progress: Callable[[int, int], None] | None = None,
) -> PairTable:
    """Learn what items speak for each other, from interactions that may be newer than the graph.

    An item's speakers are its neighbours in the graph and what most often came before it. As in
    the graph, two items need `edges.min_users` people in common, and only what lies in the window
    counts.

    Raises:
        GraphError: a window, and no interaction with a time.
    """
    interactions = within(interactions, edges.window_days)
    chosen = _newest(strong_pairs(interactions), settings.max_user_items)
    together = set_moments(
        chosen["user_row"].to_numpy(), chosen["item_row"].to_numpy(), graph.num_items
    )
    people = int(interactions["user_row"].to_numpy().max(initial=-1)) + 1
    sequences = Sequences.from_interactions(interactions, people)
    succession = succession_moments(
        sequences.indptr,
        sequences.rows,
        sequences.weight,
        sequences.strong,
        settings.succession_decay,
        graph.num_items,
    )
    following = _following(succession.of, together.of, graph, edges)
    lists = np.repeat(np.arange(len(graph.indptr) - 1), np.diff(graph.indptr))
    slot, owner = np.divmod(lists, graph.num_items)
    by_people = slot < len(graph.item_types)
    neighbour = graph.neighbours.astype(np.int64)
    before, after = _strongest(following, settings.speakers)
    speakers = Speakers.of_pairs(
        np.concatenate((owner[by_people], after)),
        np.concatenate((neighbour[by_people], before)),
        graph.num_items,
    )
    spoken = {
        "influence": learn_influence(speakers, together, settings.ridge, on_progress=on_progress),
        "succession": learn_influence(
            speakers, succession, settings.ridge, on_progress=on_progress
        ),
        "following": _look_up(following, speakers),
    }
    listed = {
        "together": np.where(by_people, graph.weights, 0),
        "content": np.where(by_people, 0, graph.weights),
    }
    return PairTable.from_lists(
        np.concatenate((speakers.owner, owner)),
        np.concatenate((speakers.items, neighbour)),
        np.concatenate((_columns(spoken, len(speakers.items)), _columns(listed, len(neighbour)))),
        graph.num_items,
    )


def _newest(pairs: pl.DataFrame, count: int) -> pl.DataFrame:
    """Keep each person's newest items."""
    place = pl.col("order").rank("ordinal", descending=True).over("user_row")
    return pairs.filter(place <= count)


def _columns(kinds: dict[str, NDArray[np.float32]], entries: int) -> NDArray[np.float32]:
    """Put some kinds of weight into their columns, 0 in the others. Shapes: returns (n, K)."""
    weights = np.zeros((entries, len(EDGE_KINDS)), dtype=np.float32)
    for kind, values in kinds.items():
        weights[:, EDGE_KINDS.index(kind)] = values
    return weights


def _following(
    after: sp.csr_array, together: sp.csr_array, graph: ItemGraph, edges: GraphSettings
) -> sp.csr_array:
    """Set how often j came after i against how many people chose either, as edge weights are.

    Under plain weighting it is how often, as it is.

    Pairs with fewer than `edges.min_users` people in common are left out, and those of relations
    that `edges` does without.

    Shapes:
        after, together: (N, N), row i, column j. returns: (N, N).
    """
    people = together.diagonal()
    enough = sp.csr_array((together >= edges.min_users).astype(np.float32))
    pairs = sp.coo_array(sp.csr_array(after.multiply(enough)))
    first, second = pairs.coords
    expected = (people[first] * people[second]) ** edges.popularity_power + edges.shrinkage
    if edges.weighting == "plain":
        expected = np.ones_like(expected)
    relation = graph.relations.table[graph.item_type[first], graph.item_type[second]]
    kept = np.array([edges.keeps(name) for name in graph.relations.names])
    apart = (first != second) & kept[relation]
    return sp.csr_array(
        ((pairs.data / expected)[apart].astype(np.float32), (first[apart], second[apart])),
        shape=after.shape,
    )


def _strongest(weights: sp.csr_array, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find for each column its largest entries. Shapes: returns (E,) rows, (E,) columns."""
    pairs = sp.coo_array(weights)
    row, column = pairs.coords
    order = np.lexsort((row, -pairs.data, column))
    row, column = row[order].astype(np.int64), column[order].astype(np.int64)
    first = np.searchsorted(column, column)
    kept = np.arange(len(column)) - first < count
    return row[kept], column[kept]


def _look_up(weights: sp.csr_array, speakers: Speakers) -> NDArray[np.float32]:
    """Read the weights of some pairs, 0 where there is none. Shapes: returns (E,)."""
    if not len(speakers.items):
        return np.zeros(0, dtype=np.float32)
    found = np.asarray(weights[speakers.items, speakers.owner])
    return found.astype(np.float32).ravel()
