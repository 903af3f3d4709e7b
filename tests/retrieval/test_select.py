from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from retrieval.admission import Admission
from retrieval.approximate import ApproximateIndex
from retrieval.errors import CatalogueError, QueryError
from retrieval.exact import ExactIndex
from retrieval.hnsw import GraphSettings
from retrieval.index import Hits, VectorIndex
from retrieval.query import Query, Selection
from retrieval.select import FEW, Selector

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

SIZES = (1, 130, 0, 269)
"""Rows of each item type; nothing is of type 2."""

ITEM_TYPE = np.repeat(np.arange(4), SIZES)
ROWS = len(ITEM_TYPE)
DIMENSIONS = 6
GRAPHS = GraphSettings(links=8, build_width=80, search_width=64, min_rows=100)


def unit(draw: np.random.Generator, count: int) -> Vectors:
    vectors: Vectors = draw.normal(size=(count, DIMENSIONS)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def catalogue() -> Vectors:
    vectors = unit(np.random.default_rng(1), ROWS)
    vectors[40:60] = vectors[40]
    vectors[300] = vectors[40]
    return vectors


INDEXES: dict[str, VectorIndex] = {
    "exact": ExactIndex(catalogue()),
    "hnsw": ApproximateIndex.build(catalogue(), ITEM_TYPE, GRAPHS),
}


@pytest.fixture(params=[*INDEXES])
def selector(request: pytest.FixtureRequest) -> Selector:
    return Selector(INDEXES[request.param], catalogue(), ITEM_TYPE)


def rows(*values: int) -> Rows:
    return np.array(values, dtype=np.int64)


def asked(seed: int = 2) -> Vectors:
    vector: Vectors = unit(np.random.default_rng(seed), 1)[0]
    return vector


def allowed(query: Query) -> list[int]:
    """Apply the filters one row at a time."""
    return [
        row
        for row in range(ROWS)
        if (query.types is None or ITEM_TYPE[row] in query.types)
        and (query.include is None or row in query.include.tolist())
        and row not in query.exclude.tolist()
        and (query.admitted is None or row in query.admitted.rows.tolist())
    ]


def oracle(query: Query) -> list[int]:
    vectors = catalogue().astype(np.float64)
    wide = query.vector.astype(np.float64)
    scores = {row: float(np.float32(np.vdot(vectors[row], wide))) for row in allowed(query)}
    return sorted(scores, key=lambda row: (-scores[row], row))[: query.k]


def same(one: Selection, other: Selection) -> bool:
    return (
        one.rows.tolist() == other.rows.tolist()
        and one.scores.tolist() == other.scores.tolist()
        and one.available == other.available
    )


ADMISSIONS = tuple(
    Admission(np.flatnonzero(np.random.default_rng(share).random(ROWS) < share / 10), ROWS)
    for share in (0, 1, 3, 6, 9, 10)
)
any_rows = st.lists(st.integers(0, ROWS - 1), max_size=ROWS).map(lambda values: rows(*values))


@st.composite
def any_query(draw: st.DrawFn) -> Query:
    return Query(
        vector=asked(draw(st.integers(0, 50))),
        k=draw(st.one_of(st.integers(1, 20), st.integers(1, 2 * ROWS))),
        types=draw(st.none() | st.lists(st.integers(0, 3), min_size=1, max_size=5).map(tuple)),
        include=draw(st.none() | any_rows),
        exclude=draw(any_rows),
        admitted=draw(st.none() | st.sampled_from(ADMISSIONS)),
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(any_query(), max_size=6))
def test_exact_index_selects_what_row_by_row_filtering_selects(queries: list[Query]) -> None:
    selections = Selector(INDEXES["exact"], catalogue(), ITEM_TYPE).select(queries)
    assert [one.rows.tolist() for one in selections] == [oracle(query) for query in queries]
    assert [one.available for one in selections] == [len(allowed(query)) for query in queries]


@settings(max_examples=150, deadline=None)
@given(st.lists(any_query(), max_size=6))
def test_approximate_index_fills_every_place_with_allowed_rows(queries: list[Query]) -> None:
    selections = Selector(INDEXES["hnsw"], catalogue(), ITEM_TYPE).select(queries)
    for query, one in zip(queries, selections, strict=True):
        permitted = allowed(query)
        assert len(one.rows) == len(set(one.rows.tolist())) == min(query.k, len(permitted))
        assert {*one.rows.tolist()} <= {*permitted}
        assert one.available == len(permitted)
        pairs = list(zip((-one.scores).tolist(), one.rows.tolist(), strict=True))
        assert pairs == sorted(pairs)


def test_approximate_index_finds_nearly_all_that_exclusions_leave() -> None:
    draw = np.random.default_rng(5)
    queries = [
        Query(asked(seed), 10, types=(3,), exclude=draw.choice(ROWS, 150, replace=False))
        for seed in range(60)
    ]
    selections = Selector(INDEXES["hnsw"], catalogue(), ITEM_TYPE).select(queries)
    shared = [
        len(set(one.rows.tolist()) & set(oracle(query)))
        for query, one in zip(queries, selections, strict=True)
    ]
    assert sum(shared) >= 0.99 * 10 * len(queries)


@settings(max_examples=50, deadline=None)
@given(st.lists(any_query(), min_size=1, max_size=17), st.sampled_from(sorted(INDEXES)))
def test_answer_does_not_depend_on_the_rest_of_the_batch(queries: list[Query], kind: str) -> None:
    selector = Selector(INDEXES[kind], catalogue(), ITEM_TYPE)
    together = selector.select(queries)
    alone = [selector.select([query])[0] for query in queries]
    reversed_batch = selector.select(queries[::-1])[::-1]
    for one, other, third in zip(together, alone, reversed_batch, strict=True):
        assert same(one, other)
        assert same(one, third)


def test_best_rows_may_all_be_excluded(selector: Selector) -> None:
    """The exclusions take every hit of the first search, and of the second."""
    query = Query(asked(), 3)
    best = selector.select([replace(query, k=200)])[0].rows
    selection = selector.select([replace(query, exclude=best)])[0]
    assert len(selection.rows) == 3
    assert not np.isin(selection.rows, best).any()
    assert selection.available == ROWS - 200


class Recorded(ExactIndex):
    """An index that writes down how many vectors were searched together, and how deep."""

    def __init__(self, vectors: Vectors) -> None:
        super().__init__(vectors)
        self.searches: list[tuple[int, int]] = []

    def search(self, vectors: Vectors, k: int, *, allowed: NDArray[np.bool_] | None = None) -> Hits:
        self.searches.append((len(vectors), k))
        return super().search(vectors, k, allowed=allowed)


def test_queries_of_one_filter_share_a_search() -> None:
    index = Recorded(catalogue())
    queries = [Query(asked(seed), 9 + seed, types=(1, 3)) for seed in range(8)]
    queries += [Query(asked(seed), 10, types=(3, 1, 3)) for seed in range(5)]
    Selector(index, catalogue(), ITEM_TYPE).select(queries)
    assert index.searches == [(13, 16)]


def test_search_goes_deeper_only_where_exclusions_ate_the_hits() -> None:
    index = Recorded(catalogue())
    selector = Selector(index, catalogue(), ITEM_TYPE)
    ranking = selector.select([Query(asked(), ROWS)])[0].rows
    index.searches.clear()
    harmless, harmful = (
        Query(asked(), 5, exclude=ranking[part]) for part in (slice(200, 400), slice(0, 200))
    )
    selections = selector.select([harmless, harmful])
    assert [one.rows.tolist() for one in selections] == [
        ranking[:5].tolist(),
        ranking[200:205].tolist(),
    ]
    assert index.searches == [(2, 16), (1, 64), (1, 256)]


def test_ties_are_in_the_order_of_rows_and_survive_exclusion(selector: Selector) -> None:
    query = Query(catalogue()[40], 5, exclude=rows(41, 40, 43, 43))
    assert selector.select([query])[0].rows.tolist() == [42, 44, 45, 46, 47]


def test_k_above_the_catalogue_returns_all_that_exists(selector: Selector) -> None:
    selection = selector.select([Query(asked(), 10**12)])[0]
    assert sorted(selection.rows.tolist()) == list(range(ROWS))
    assert (selection.available, np.diff(selection.scores).max() <= 0) == (ROWS, True)


def test_k_above_a_type_returns_that_type(selector: Selector) -> None:
    selections = selector.select([Query(asked(), 400, types=(t,)) for t in (0, 1, 3)])
    assert [sorted(one.rows.tolist()) for one in selections] == [
        [0],
        list(range(1, 131)),
        list(range(131, 400)),
    ]


@pytest.mark.parametrize(
    "query",
    [
        Query(asked(), 3, exclude=np.arange(ROWS)),
        Query(asked(), 3, types=(0,), exclude=rows(0)),
        Query(asked(), 3, types=(2,)),
        Query(asked(), 3, include=rows()),
        Query(asked(), 3, include=rows(5, 6), exclude=rows(6, 5)),
        Query(asked(), 3, include=rows(5, 6), types=(3,)),
    ],
)
def test_filters_that_leave_nothing_give_nothing(selector: Selector, query: Query) -> None:
    selection = selector.select([query])[0]
    assert (len(selection.rows), len(selection.scores), selection.available) == (0, 0, 0)


def test_include_list_is_ranked_whatever_its_order_and_repeats(selector: Selector) -> None:
    listed = rows(300, 7, 40, 7, 300, 131)
    selection = selector.select([Query(catalogue()[40], 10, include=listed)])[0]
    assert selection.rows.tolist()[:2] == [40, 300]
    assert sorted(selection.rows.tolist()) == [7, 40, 131, 300]
    assert selection.available == 4


def test_queries_of_one_include_list_may_want_different_numbers(selector: Selector) -> None:
    queries = [Query(asked(k), k, include=rows(*range(20, 60))) for k in (1, 40, 5)]
    selections = selector.select(queries)
    assert [one.rows.tolist() for one in selections] == [oracle(query) for query in queries]


MANY = 3 * FEW


@cache
def large(kind: str) -> tuple[Selector, Vectors]:
    """A catalogue so large that the index is asked to filter; two types, a third and the rest."""
    vectors = unit(np.random.default_rng(6), MANY)
    item_type = np.repeat([0, 1], [FEW, MANY - FEW])
    index: VectorIndex = ExactIndex(vectors)
    if kind == "hnsw":
        index = ApproximateIndex.build(vectors, item_type, replace(GRAPHS, search_width=16))
    return Selector(index, vectors, item_type), vectors


@pytest.mark.parametrize("share", [1e-4, 0.01, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("kind", [*INDEXES])
def test_filtered_queries_get_k_admitted_rows_that_are_nearly_the_best(
    kind: str, share: float
) -> None:
    selector, vectors = large(kind)
    admitted = Admission(np.flatnonzero(np.random.default_rng(7).random(MANY) < share), MANY)
    queries = [
        Query(asked(seed), 10, types=types, exclude=admitted.rows[: 5 * seed], admitted=admitted)
        for seed in range(20)
        for types in (None, (1,))
    ]
    found = wanted = 0
    for query, one in zip(queries, selector.select(queries), strict=True):
        rows = np.setdiff1d(admitted.rows, query.exclude)
        rows = rows[rows >= (FEW if query.types else 0)]
        best = rows[np.argsort(-(vectors[rows] @ query.vector), kind="stable")][:10]
        assert one.available == len(rows)
        assert len(one.rows) == len(set(one.rows.tolist())) == len(best)
        assert np.isin(one.rows, rows).all()
        found += np.isin(best, one.rows).sum()
        wanted += len(best)
    assert found >= 0.99 * wanted


def test_filter_that_is_far_from_the_query_is_answered_all_the_same() -> None:
    """None of the rows that a graph would look at is admitted."""
    selector, vectors = large("hnsw")
    query = asked(3)
    order = np.argsort(vectors @ query, kind="stable")
    farthest = Admission(np.sort(order[: MANY // 2]), MANY)
    (one,) = selector.select([Query(query, 10, admitted=farthest)])
    assert one.rows.tolist() == order[: MANY // 2][::-1][:10].tolist()


def test_no_queries_give_no_answers(selector: Selector) -> None:
    assert selector.select([]) == []


def test_empty_catalogue_answers_with_nothing() -> None:
    vectors = np.empty((0, DIMENSIONS), dtype=np.float32)
    selector = Selector(ExactIndex(vectors), vectors, rows())
    assert selector.select([Query(asked(), 3)])[0].available == 0


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        (Query(asked()[1:], 3), "vector", "expected 6 values, got 5"),
        (Query(asked(), 3, types=(0, 4)), "types", "type 4 is unknown, there are 4"),
        (Query(asked(), 3, types=(-1,)), "types", "type -1 is unknown"),
        (Query(asked(), 3, admitted=Admission(rows(0), 7)), "admitted", "is of 7 rows"),
        (Query(asked(), 3, include=rows(1, -1)), "include", "row -1 is outside"),
        (Query(asked(), 3, exclude=rows(1, ROWS)), "exclude", f"row {ROWS} is outside"),
    ],
)
def test_query_that_does_not_fit_is_named_with_its_place(
    selector: Selector, query: Query, field: str, says: str
) -> None:
    with pytest.raises(QueryError, match=says) as caught:
        selector.select([Query(asked(), 3), query])
    assert (caught.value.field, caught.value.element) == (field, 1)
    assert str(caught.value).startswith(f"queries[1].{field}: ")


@pytest.mark.parametrize(
    ("vectors", "item_type", "says"),
    [
        (catalogue()[1:], ITEM_TYPE, r"shape \(400, 6\) as the index has, got \(399, 6\)"),
        (catalogue(), ITEM_TYPE[1:], r"item_type: expected shape \(400,\), got \(399,\)"),
        (catalogue(), ITEM_TYPE[::-1], "sorted by type"),
        (catalogue(), ITEM_TYPE - 1, "counted from 0"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(
    vectors: Vectors, item_type: Rows, says: str
) -> None:
    with pytest.raises(CatalogueError, match=says):
        Selector(INDEXES["exact"], vectors, item_type)
