"""Examples show what a ranker shows, and the paths that brought it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from models.scorer import Scorer
from retrieval.evidence import DECAYS, EDGE_KINDS, NAMES, Catalogue, gather, reach
from retrieval.pairwise import PairTable
from tables.dataset import Dataset
from tables.folder import read_dataset
from tests.support.cases import cases_of
from training.fusion import FusedRanker, people_of
from training.page.examples import SHOWN, draw_examples, path_strengths
from training.ranking import Candidates

ITEMS = 12
EDGES = len(EDGE_KINDS) * len(DECAYS)


def library(folder: Path) -> Dataset:
    """Six books and six films by row, each two of a creator."""
    numbers = list(range(ITEMS))
    pl.DataFrame(
        {
            "item_id": [f"i{n:02}" for n in numbers],
            "item_type": ["book"] * 6 + ["film"] * 6,
            "title": [f"title {n}" for n in numbers],
            "creator": [f"creator {n // 2}" for n in numbers],
        }
    ).write_parquet(folder / "items.parquet")
    pl.DataFrame({"user_id": ["u"], "item_id": ["i00"], "seq": [0]}).write_parquet(
        folder / "interactions.parquet"
    )
    return read_dataset(folder, strict=True)


def nobody(cases: Cases) -> NDArray[np.float32]:
    return np.zeros((len(cases), 4), dtype=np.float32)


def chain(weights: dict[str, float]) -> FusedRanker:
    """Item n speaks for item n + 1, by its influence alone; vectors mean nothing."""
    owner = np.arange(1, ITEMS)
    edges = np.zeros((ITEMS - 1, len(EDGE_KINDS)), dtype=np.float32)
    edges[:, 0] = 1.0
    scorer = Scorer()
    with torch.no_grad():
        for name, weight in weights.items():
            scorer.weight[NAMES.index(name)] = weight
    vectors = np.zeros((ITEMS, 4), dtype=np.float32)
    catalogue = Catalogue(
        PairTable.from_lists(owner, owner - 1, edges, ITEMS),
        vectors,
        vectors,
        2,
        np.arange(ITEMS, dtype=np.float32),
        np.repeat([0, 1], 6),
    )
    return FusedRanker("chain", catalogue, nobody, scorer, ITEMS)


CANDIDATES = Candidates(
    ("book", "film"), np.repeat([0, 1], 6), np.ones(ITEMS, np.int64), np.ones(ITEMS, np.bool_)
)


def test_strengths_of_all_paths_sum_to_what_the_graph_adds() -> None:
    rng = np.random.default_rng(0)
    ranker = chain({})
    with torch.no_grad():
        ranker.scorer.weight.copy_(torch.from_numpy(rng.normal(size=len(NAMES))))
        ranker.scorer.scale.copy_(torch.from_numpy(rng.uniform(0.5, 2, len(NAMES))))
    pairs = PairTable.from_lists(
        rng.integers(0, ITEMS, 60),
        rng.integers(0, ITEMS, 60),
        rng.random((60, len(EDGE_KINDS))).astype(np.float32),
        ITEMS,
    )
    ranker = replace(ranker, catalogue=replace(ranker.catalogue, pairs=pairs))
    cases = cases_of([[0], [3, 5, 5, 8]], [1, 1])
    rows = np.arange(ITEMS)
    history, strengths = path_strengths(ranker, cases, 1, rows)
    assert history.tolist() == [8, 5, 5, 3]

    person = people_of(cases, nobody(cases))[1]
    evidence = gather(ranker.catalogue, person, reach(ranker.catalogue, person), rows)
    of_edges = [name.startswith(EDGE_KINDS) for name in NAMES]
    evidence[:, ~np.array(of_edges)] = 0
    with torch.no_grad():
        expected = ranker.scorer(torch.from_numpy(evidence)).numpy()
    np.testing.assert_allclose(strengths.sum(axis=0), expected, atol=1e-5)
    assert evidence[0, NAMES.index("content 0.8, new")] > 0  # nobody chose item 0


def test_an_example_shows_every_type_and_the_path_to_each_item(tmp_path: Path) -> None:
    ranker = chain({"influence 1.0": 2.0, "popularity": 0.01})
    cases = cases_of([[8, 0]], [1])
    (example,) = draw_examples(ranker, cases, CANDIDATES, library(tmp_path), seed=0)
    assert [work.title for work in example.history] == ["title 0", "title 8"]
    assert (example.target.title, example.rank, example.history_length) == ("title 1", 1, 2)
    (book, books), (film, films) = example.lists
    assert (book, film) == ("book", "film")
    assert [shown.work.title for shown in books[:2]] == ["title 1", "title 5"]
    assert len(books) == len(films) == SHOWN
    assert [shown.is_target for shown in books] == [True, False, False, False, False]
    (path,) = books[0].paths or ()
    assert (path.source.title, path.same_creator) == ("title 0", True)
    assert path.strength == pytest.approx(2.0)
    assert books[1].paths == ()  # popular, and nothing speaks for it
    (path,) = films[0].paths or ()
    assert (films[0].work.title, path.source.title, path.same_creator) == (
        "title 9",
        "title 8",
        True,
    )


def test_a_target_that_is_no_candidate_has_no_place(tmp_path: Path) -> None:
    cases = cases_of([[0, 1]], [1])
    (example,) = draw_examples(
        chain({"popularity": 1.0}), cases, CANDIDATES, library(tmp_path), seed=0
    )
    assert example.rank is None


class ByRow:
    """Likes the first rows best, and has no paths."""

    name = "by row"

    def score(self, cases: Cases) -> NDArray[np.float32]:
        return np.tile(-np.arange(ITEMS, dtype=np.float32), (len(cases), 1))


def test_a_model_without_paths_shows_none_and_leaves_the_history_out(tmp_path: Path) -> None:
    cases = cases_of([[0, 7]] * 9, [1] * 9)
    examples = draw_examples(ByRow(), cases, CANDIDATES, library(tmp_path), seed=3, people=4)
    assert len(examples) == 4
    books, films = (shown for _, shown in examples[0].lists)
    assert [shown.work.title for shown in books] == [f"title {n}" for n in (1, 2, 3, 4, 5)]
    assert [shown.work.title for shown in films] == [f"title {n}" for n in (6, 8, 9, 10, 11)]
    assert {shown.paths for shown in (*books, *films)} == {None}
