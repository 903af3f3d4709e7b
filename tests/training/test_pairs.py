"""Who may speak for whom, and the five weights of what is said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from graph.build import build_graph
from graph.item_graph import ItemGraph
from graph.settings import GraphSettings
from retrieval.evidence import EDGE_KINDS
from retrieval.pairwise import PairTable
from training.fusion import FusionSettings
from training.pairs import build_pairs

BOOKS, FILMS = 4, 4
ITEMS = pl.DataFrame(
    {
        "item_id": [f"i{row}" for row in range(BOOKS + FILMS)],
        "item_type": ["book"] * BOOKS + ["film"] * FILMS,
        "creator": ["one", None, None, None, None, None, None, "one"],
    }
)
EDGES = GraphSettings(min_users=2, cap=10, shrinkage=3.0)
SETTINGS = FusionSettings(ridge=1.0, succession_decay=0.5)
LEARNED = ("influence", "succession", "following")
BY_PEOPLE = (*LEARNED, "together")


def interactions(sequences: Sequence[Sequence[int]], weak: Sequence[int] = ()) -> pl.DataFrame:
    """Write down what each person chose, oldest first; `weak` items are always weak signals."""
    rows = [
        (user, item, "weak" if item in weak else "strong", 1.0, place)
        for user, sequence in enumerate(sequences)
        for place, item in enumerate(sequence)
    ]
    columns = ["user_row", "item_row", "role", "weight", "order"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(
        timestamp=pl.lit(None, dtype=pl.Int64), moment=pl.col("order")
    )


def drawn(seed: int, people: int = 40) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return interactions(
        [rng.permutation(BOOKS + FILMS)[: rng.integers(2, 6)].tolist() for _ in range(people)]
    )


def build(
    rows: pl.DataFrame, edges: GraphSettings = EDGES, settings: FusionSettings = SETTINGS
) -> PairTable:
    return build_pairs(build_graph(ITEMS, rows, edges), rows, edges, settings)


def said(table: PairTable, kind: str) -> dict[tuple[int, int], float]:
    """Give (speaker, spoken for) -> weight of a kind, without zeros."""
    speaker = np.repeat(np.arange(len(table.indptr) - 1), np.diff(table.indptr))
    column = table.weights[:, EDGE_KINDS.index(kind)]
    pairs = zip(speaker.tolist(), table.targets.tolist(), strict=True)
    return {
        pair: weight for pair, weight in zip(pairs, column.tolist(), strict=True) if weight != 0
    }


def listed(graph: ItemGraph, slots: range) -> dict[tuple[int, int], float]:
    """Give (neighbour, owner of the list) -> weight in some slots of a graph."""
    found = {}
    for slot in slots:
        for owner in range(graph.num_items):
            number = slot * graph.num_items + owner
            part = slice(graph.indptr[number], graph.indptr[number + 1])
            for near, weight in zip(graph.neighbours[part], graph.weights[part], strict=True):
                found[int(near), owner] = float(weight)
    return found


def in_common(rows: pl.DataFrame) -> Mapping[tuple[int, int], int]:
    """Count the people of each ordered pair of items."""
    counts: dict[tuple[int, int], int] = {}
    for items in rows.group_by("user_row").agg(pl.col("item_row").unique())["item_row"].to_list():
        for one in items:
            for other in items:
                counts[one, other] = counts.get((one, other), 0) + 1
    return counts


@pytest.fixture
def rows() -> pl.DataFrame:
    return drawn(0)


def test_following_by_hand() -> None:
    table = build(interactions([[0, 1, 4], [0, 4, 1], [0, 1]]))
    # Item 1 is chosen by 3, item 0 by 3: first after 0 twice at once, once with another between.
    expected = {
        (0, 1): (1 + 0.5 + 1) / (3 + 3),
        (0, 4): (0.5 + 1) / (6**0.5 + 3),
        (1, 4): 1 / (6**0.5 + 3),
        (4, 1): 1 / (6**0.5 + 3),
    }
    assert said(table, "following") == pytest.approx(expected)


def test_power_and_shrinkage_are_the_graphs() -> None:
    rows = interactions([[0, 1], [0, 1], [0]])
    edges = replace(EDGES, popularity_power=1.0, shrinkage=4.0)
    assert said(build(rows, edges), "following") == pytest.approx({(0, 1): 2 / (3 * 2 + 4)})


def test_what_is_always_chosen_in_one_order_speaks_in_that_order() -> None:
    rng = np.random.default_rng(0)
    others = [rng.choice([2, 3, 5, 6], 2, replace=False).tolist() for _ in range(30)]
    table = build(interactions([[one, 0, 1, other] for one, other in others]))
    for kind in ("succession", "following"):
        weights = said(table, kind)
        assert weights[0, 1] > 0.1 + weights.get((1, 0), 0.0)
    influence = said(table, "influence")  # knows no order
    assert influence[0, 1] == pytest.approx(influence[1, 0], rel=1e-4)


def test_only_learned_weights_look_at_order(rows: pl.DataFrame) -> None:
    backwards = rows.sort("user_row", "order", descending=[False, True]).with_columns(
        order=pl.int_range(pl.len()).over("user_row")
    )
    forth, back = build(rows), build(backwards)
    for kind in ("together", "content"):
        assert said(forth, kind) == pytest.approx(said(back, kind))
    turned = {
        (after, before): weight for (before, after), weight in said(back, "following").items()
    }
    assert said(forth, "following").keys() == turned.keys()
    assert said(forth, "following") != pytest.approx(said(back, "following"))


def test_counted_and_content_columns_are_the_graphs(rows: pl.DataFrame) -> None:
    graph, table = build_graph(ITEMS, rows, EDGES), build(rows)
    kinds = len(graph.item_types)
    assert said(table, "together") == pytest.approx(listed(graph, range(kinds)))
    assert said(table, "content") == pytest.approx({(0, 7): 1.0, (7, 0): 1.0})
    assert listed(graph, range(kinds, graph.num_slots)).keys() == {(0, 7), (7, 0)}


def test_columns_are_where_the_kinds_are_named(
    rows: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = build(rows)
    turned = tuple(reversed(EDGE_KINDS))
    monkeypatch.setattr("training.pairs.EDGE_KINDS", turned)
    again = build(rows)
    assert table.weights.any(axis=0).all()
    np.testing.assert_array_equal(again.weights, table.weights[:, ::-1])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_pairs_of_too_few_people_have_no_weight_made_by_people(seed: int) -> None:
    rows = drawn(seed, people=9)
    counts = in_common(rows)
    few = {pair for pair, people in counts.items() if pair[0] != pair[1] and people < 2}
    some = {pair for pair, people in counts.items() if pair[0] != pair[1] and people == 2}
    assert few
    table = build(rows)
    for kind in BY_PEOPLE:
        assert not few & said(table, kind).keys()
    assert some & said(table, "following").keys()
    loose = build(rows, replace(EDGES, min_users=1))
    assert few & said(loose, "following").keys()  # or the bound would have had nothing to do


def test_two_weak_signals_are_not_two_people() -> None:
    rows = interactions([[0, 1], [0, 1], [2, 1], [2, 1]], weak=(0,))
    assert said(build(rows), "following").keys() == {(2, 1)}


def test_what_goes_together_is_learned_from_the_newest_items_alone() -> None:
    rows = interactions([[7, 3, 0, 1, 2]] * 5)
    whole = said(build(rows), "influence")
    cut = said(build(rows, settings=replace(SETTINGS, max_user_items=3)), "influence")
    assert (3, 2) in whole
    assert set(cut) == {(i, j) for i in range(3) for j in range(3) if i != j}


def test_speakers_beside_the_neighbours_are_as_many_as_set() -> None:
    """The graph keeps one neighbour of each type, and others that came before speak too."""
    rows, edges = drawn(4, people=80), replace(EDGES, cap=1, content_relations=())
    graph = build_graph(ITEMS, rows, edges)
    near = listed(graph, range(len(graph.item_types)))
    every = said(build(rows), "following")
    assert every.keys() - near.keys()
    for count in (1, 2, 100):
        table = build(rows, edges, replace(SETTINGS, speakers=count))
        for item in range(BOOKS + FILMS):
            before = {pair[0]: weight for pair, weight in every.items() if pair[1] == item}
            strongest = sorted(before, key=lambda row: (-before[row], row))[:count]
            allowed = {*strongest, *(speaker for speaker, owner in near if owner == item)}
            speaking = {pair[0] for pair in said(table, "influence") if pair[1] == item}
            assert speaking == allowed
            assert item not in speaking


@pytest.mark.parametrize("name", ["book-book", "book-film", "film-film"])
def test_relations_that_are_left_out_say_nothing(rows: pl.DataFrame, name: str) -> None:
    def of_relation(table: PairTable) -> set[tuple[int, int]]:
        kinds = set(name.split("-"))
        types = ITEMS["item_type"].to_list()
        pairs = {pair for kind in BY_PEOPLE for pair in said(table, kind)}
        return {pair for pair in pairs if {types[pair[0]], types[pair[1]]} == kinds}

    whole, without = build(rows), build(rows, replace(EDGES, without=(name,)))
    only = build(rows, replace(EDGES, only=(name,)))
    assert of_relation(whole)
    assert not of_relation(without)
    every = {pair for kind in BY_PEOPLE for pair in said(only, kind)}
    assert every == of_relation(only) == of_relation(whole)
    assert said(only, "content") == {}
    assert said(without, "content") == said(whole, "content") != {}


def test_without_a_content_relation_people_still_speak(rows: pl.DataFrame) -> None:
    table = build(rows, replace(EDGES, without=("creator",)))
    assert said(table, "content") == {}
    assert said(table, "following") == said(build(rows), "following")


def test_newer_interactions_than_the_graphs_are_learned_from(rows: pl.DataFrame) -> None:
    graph = build_graph(ITEMS, rows, EDGES)
    newer = interactions([[3, 4], [3, 4], [3, 4]])
    table = build_pairs(graph, newer, EDGES, SETTINGS)
    assert said(table, "following") == pytest.approx({(3, 4): 3 / (3 + 3)})
    assert said(table, "together") == said(build(rows), "together")


def test_what_lies_before_the_window_says_nothing() -> None:
    days = pl.col("user_row") * 86_400
    rows = interactions([[0, 1], [0, 1], [2, 3], [2, 3]]).with_columns(timestamp=days)
    whole, late = (build(rows, replace(EDGES, window_days=window)) for window in (None, 2.0))
    for kind in ("following", "together"):
        assert {(0, 1), (2, 3)} <= set(said(whole, kind))
        assert set(said(late, kind)) <= {(2, 3), (3, 2)}
    assert said(late, "influence").keys() <= {(2, 3), (3, 2)}
    assert said(late, "following")


def test_without_interactions_the_graphs_own_edges_are_left(rows: pl.DataFrame) -> None:
    graph = build_graph(ITEMS, rows, EDGES)
    table = build_pairs(graph, rows.clear(), EDGES, SETTINGS)
    assert [said(table, kind) for kind in LEARNED] == [{}, {}, {}]
    assert said(table, "together") == said(build(rows), "together")


def test_plain_following_counts_how_often() -> None:
    rows = interactions([[0, 1], [0, 1], [0, 1], [2, 0, 1]])
    plain = said(build(rows, replace(EDGES, weighting="plain")), "following")
    assert plain[0, 1] == pytest.approx(4)
