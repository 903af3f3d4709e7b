"""Ranks and top lists against loops that sort, and the rules for ties and histories."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.cases import Cases
from tests.support.cases import cases_of
from training.metrics import DEPTH, UNRANKED
from training.ranking import Candidates, RankingError, Scope, rank


@dataclass
class Table:
    """A ranker that looks its scores up by user."""

    scores: NDArray[np.float32]
    name: str = "table"

    def score(self, cases: Cases) -> NDArray[np.float32]:
        return self.scores[cases.user_row]


def candidates_of(item_type: list[int], trained: list[bool] | None = None) -> Candidates:
    popularity = np.array(trained or [True] * len(item_type), dtype=np.int64)
    return Candidates(
        item_types=tuple("abc"[: max(item_type) + 1]),
        item_type=np.array(item_type, dtype=np.int64),
        popularity=popularity,
        trained=popularity > 0,
    )


def table(*rows: list[float]) -> Table:
    return Table(np.array(rows, dtype=np.float32))


def test_target_is_ranked_inside_its_type_and_among_all() -> None:
    candidates = candidates_of([0, 0, 0, 1, 1])
    ranker = table([0.1, 0.9, 0.5, 0.8, 0.7])
    got = rank(ranker, cases_of([[]], [2]), candidates, (Scope.TYPE, Scope.ALL))
    assert got[Scope.TYPE].rank.tolist() == [2]
    assert got[Scope.TYPE].top[0, :4].tolist() == [1, 2, 0, -1]
    assert got[Scope.ALL].rank.tolist() == [4]
    assert got[Scope.ALL].top[0, :6].tolist() == [1, 3, 4, 2, 0, -1]
    alone = rank(ranker, cases_of([[]], [2]), candidates, (Scope.TYPE, Scope.ALL), tops=False)
    assert [alone[scope].rank.tolist() for scope in alone] == [[2], [4]]
    assert all((ranking.top == -1).all() for ranking in alone.values())


def test_history_does_not_compete() -> None:
    got = rank(table([0.9, 0.8, 0.7]), cases_of([[0]], [2]), candidates_of([0, 0, 0]))
    assert got[Scope.TYPE].rank.tolist() == [2]
    assert got[Scope.TYPE].top[0, :3].tolist() == [1, 2, -1]


def test_target_in_its_own_history_is_a_miss() -> None:
    got = rank(table([0.9, 0.8, 0.7]), cases_of([[0]], [0]), candidates_of([0, 0, 0]))
    assert got[Scope.TYPE].rank.tolist() == [UNRANKED]


def test_ties_go_against_the_target_and_by_row_in_the_list() -> None:
    got = rank(table([0.5, 0.5, 0.7, 0.5]), cases_of([[]], [0]), candidates_of([0] * 4))
    assert got[Scope.TYPE].rank.tolist() == [4]
    assert got[Scope.TYPE].top[0, :4].tolist() == [2, 0, 1, 3]


def test_a_ranker_that_says_nothing_finds_nothing() -> None:
    size = 300
    cases = cases_of([[]] * size, list(range(size)))
    constant = Table(np.zeros((size, size), dtype=np.float32))
    got = rank(constant, cases, candidates_of([0] * size))
    assert got[Scope.TYPE].rank.min() == size


def test_unseen_targets_are_ranked_among_unseen_items_of_their_type() -> None:
    candidates = candidates_of([0, 0, 0, 0, 1], [True, False, False, True, False])
    ranker = table([0.9, 0.8, 0.7, 0.6, 0.99], [0.9, 0.8, 0.7, 0.6, 0.99])
    got = rank(ranker, cases_of([[], []], [2, 3]), candidates, (Scope.UNSEEN, Scope.TYPE))
    assert got[Scope.UNSEEN].rank.tolist() == [2, UNRANKED]
    assert got[Scope.UNSEEN].top[0, :3].tolist() == [1, 2, -1]
    assert (got[Scope.UNSEEN].top[1] == -1).all()
    assert got[Scope.TYPE].rank.tolist() == [3, 4]


@dataclass
class Selective(Table):
    """A ranker that turns its scores round where some items alone are asked for."""

    asked: list[tuple[list[int], list[bool]]] = field(default_factory=list)

    def score_among(self, cases: Cases, admitted: NDArray[np.bool_]) -> NDArray[np.float32]:
        self.asked.append((cases.user_row.tolist(), admitted.tolist()))
        return -self.scores[cases.user_row]


def test_a_ranker_that_selects_is_asked_for_unseen_items_alone() -> None:
    trained = [True, False, False, True]
    candidates = candidates_of([0, 0, 0, 0], trained)
    ranker = Selective(np.array([[0.9, 0.8, 0.7, 0.6]] * 2, dtype=np.float32))
    cases = cases_of([[], []], [3, 2])
    got = rank(ranker, cases, candidates, (Scope.UNSEEN, Scope.TYPE))
    assert got[Scope.UNSEEN].rank.tolist() == [UNRANKED, 1]
    assert got[Scope.TYPE].rank.tolist() == [4, 3]
    assert ranker.asked == [([1], [not each for each in trained])]
    ranker.asked.clear()
    rank(ranker, cases, candidates, (Scope.TYPE, Scope.ALL))
    rank(ranker, cases.take(np.array([0])), candidates, (Scope.UNSEEN,))
    assert ranker.asked == []
    ranker.scores[:] = np.nan
    with pytest.raises(RankingError, match="table: expected finite scores"):
        rank(ranker, cases, candidates, (Scope.UNSEEN,))


def random_world(seed: int) -> tuple[Table, Cases, Candidates]:
    """Scores with many ties, types wider and narrower than a list, one type of a single item."""
    rng = np.random.default_rng(seed)
    item_type = [0] * 150 + [1] * 40 + [2]
    users = 40
    scores = rng.integers(0, 25, (users, len(item_type))).astype(np.float32)
    histories = [rng.choice(191, rng.integers(0, 30), replace=False).tolist() for _ in range(users)]
    trained = (rng.random(191) < 0.7).tolist()
    cases = cases_of(histories, rng.integers(0, 191, users).tolist())
    return Table(scores), cases, candidates_of(item_type, trained)


@pytest.mark.parametrize("scope", list(Scope))
def test_ranks_and_lists_agree_with_sorting_in_loops(scope: Scope) -> None:
    ranker, cases, candidates = random_world(5)
    got = rank(ranker, cases, candidates, (scope,), chunk=7)[scope]
    seen = 0
    for case in range(len(cases)):
        target = int(cases.target[case])
        if scope is Scope.UNSEEN and candidates.trained[target]:
            assert got.rank[case] == UNRANKED
            continue
        pool = [
            row
            for row in range(len(candidates))
            if (scope is Scope.ALL or candidates.item_type[row] == candidates.item_type[target])
            and not (scope is Scope.UNSEEN and candidates.trained[row])
            and row not in cases.history(case)
        ]
        scores = ranker.scores[case]
        expected = sum(bool(scores[row] >= scores[target]) for row in pool)
        assert got.rank[case] == (expected if target in pool else UNRANKED)
        best = sorted(pool, key=lambda row: (-float(scores[row]), row))[:DEPTH]
        assert got.top[case].tolist() == best + [-1] * (DEPTH - len(best))
        seen += 1
    assert seen >= 5


@pytest.mark.parametrize("chunk", [1, 2, 17, 512])
def test_chunks_do_not_change_the_answer(chunk: int) -> None:
    ranker, cases, candidates = random_world(6)
    done: list[tuple[int, int]] = []
    whole = rank(ranker, cases, candidates, tuple(Scope))
    parts = rank(
        ranker,
        cases,
        candidates,
        tuple(Scope),
        chunk=chunk,
        on_progress=lambda count, total: done.append((count, total)),
    )
    for scope in Scope:
        np.testing.assert_array_equal(parts[scope].rank, whole[scope].rank)
        np.testing.assert_array_equal(parts[scope].top, whole[scope].top)
    assert done[-1] == (40, 40)


@dataclass
class Counted(Table):
    """A table that notes whose scores it was asked for."""

    asked: list[int] = field(default_factory=list)

    def score(self, cases: Cases) -> NDArray[np.float32]:
        self.asked += cases.user_row.tolist()
        return super().score(cases)


def test_cases_of_one_person_with_one_history_are_scored_once() -> None:
    ranker = Counted(np.array([[0.5, 0.4, 0.3, 0.2], [0.1, 0.4, 0.3, 0.2]], dtype=np.float32))
    histories = [[0], [0], [1], [1], [1]]
    cases = cases_of(histories, [1, 3, 0, 0, 3], users=[0, 0, 0, 1, 1])
    got = rank(ranker, cases, candidates_of([0] * 4))[Scope.TYPE]
    assert ranker.asked == [0, 0, 1]
    assert got.rank.tolist() == [1, 3, 1, 3, 2]
    assert got.top[:, 0].tolist() == [1, 1, 0, 2, 2]


def test_the_rankers_own_array_is_left_alone() -> None:
    ranker, cases, candidates = random_world(7)
    before = ranker.scores.copy()
    ranker.scores.setflags(write=False)
    rank(ranker, cases, candidates, tuple(Scope))
    np.testing.assert_array_equal(ranker.scores, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    with pytest.raises(RankingError, match="table: expected finite scores, got 1"):
        rank(table([0.1, bad]), cases_of([[]], [0]), candidates_of([0, 0]))


def test_scores_of_the_wrong_shape_are_refused_by_name() -> None:
    with pytest.raises(RankingError, match=r"table: expected scores of shape \(1, 3\)"):
        rank(table([0.1, 0.2]), cases_of([[]], [0]), candidates_of([0, 0, 0]))


def test_items_that_are_not_sorted_by_type_are_refused() -> None:
    with pytest.raises(ValueError, match="sorted by type"):
        candidates_of([0, 1, 0])


def test_item_arrays_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="2 rows, popularity 1"):
        candidates_of([0, 0], [True])


def test_what_a_weak_signal_touched_competes_and_can_be_found() -> None:
    cases = cases_of([[0, 1]], [0], barred=[[1]])
    got = rank(table([0.7, 0.9, 0.8]), cases, candidates_of([0, 0, 0]))
    assert got[Scope.TYPE].rank.tolist() == [2]
    assert got[Scope.TYPE].top[0, :3].tolist() == [2, 0, -1]


def test_what_somebody_turned_away_from_is_not_shown() -> None:
    cases = cases_of([[]], [2], barred=[[0]])
    got = rank(table([0.9, 0.8, 0.7]), cases, candidates_of([0, 0, 0]))
    assert got[Scope.TYPE].rank.tolist() == [2]
    assert got[Scope.TYPE].top[0, :3].tolist() == [1, 2, -1]


def test_neighbouring_cases_of_one_history_are_barred_apart() -> None:
    ranker = table([0.9, 0.8, 0.7, 0.6])
    cases = cases_of([[0], [0]], [3, 3], users=[0, 0], barred=[[0], [0, 1]])
    got = rank(ranker, cases, candidates_of([0] * 4))
    assert got[Scope.TYPE].rank.tolist() == [3, 2]
