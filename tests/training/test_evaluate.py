"""What an evaluation reports: slices, intervals, comparisons, and the file."""

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from graph.cases import Cases
from tables.folder import read_dataset
from tests.support.cases import cases_of
from training.comparison import SERVED, compare_served
from training.evaluate import (
    CASES,
    COMPARED,
    COVERAGE,
    MEASURED,
    REPEATED,
    TIED,
    EvaluationError,
    EvaluationSettings,
    Measurement,
    evaluate,
    write_metrics,
)
from training.measurement import GINI, UNSEEN_ITEMS
from training.metrics import HIT_RATE, MRR_ALL, MRR_HIT, NDCG, TOP
from training.ranking import Candidates, Ranker, Scope
from training.slices import split_into_slices

BOOKS, FILMS = 30, 20
SETTINGS = EvaluationSettings(replicates=200, seed=5)


class ByRow:
    """Scores items by their row, the first or the last one best."""

    def __init__(self, name: str, sign: float) -> None:
        self.name = name
        self.sign = sign

    def score(self, cases: Cases) -> NDArray[np.float32]:
        scores = self.sign * np.arange(BOOKS + FILMS, dtype=np.float32)
        return np.tile(scores, (len(cases), 1))


FIRST, LAST = ByRow("first rows", -1.0), ByRow("last rows", 1.0)


def library() -> Candidates:
    item_type = np.repeat([0, 1], [BOOKS, FILMS])
    popularity = np.ones(BOOKS + FILMS, dtype=np.int64)
    popularity[[5, 45]] = 0
    return Candidates(("book", "film"), item_type, popularity, popularity > 0)


def people() -> Cases:
    """Five familiar targets, the fifth in its own history, and two unseen ones."""
    return cases_of(
        [[40], [0, 1], [41], [2], [3], [6], []],
        [0, 12, 30, 49, 3, 5, 45],
        tied=[True, False, False, False, False, True, False],
        warm=[False, True, True, False, True, True, False],
    )


def find(measurements: tuple[Measurement, ...], model: str, part: str, metric: str) -> Measurement:
    (one,) = [
        each
        for each in measurements
        if (each.model, each.slice, each.metric) == (model, part, metric)
    ]
    return one


def test_hit_rates_of_each_slice_are_those_counted_by_hand() -> None:
    got = evaluate([FIRST], people(), library(), SETTINGS).measurements
    hits = {each.slice: (each.value, each.users) for each in got if each.metric == HIT_RATE}
    assert hits == {
        "overall": (2 / 5, 5),  # item 0 comes first, item 30 is the first film
        "book": (1 / 3, 3),
        "film": (1 / 2, 2),
        "warm": (1 / 3, 3),
        "warm / book": (0.0, 2),
        "warm / film": (1.0, 1),
        "cold": (1 / 2, 2),
        "cold / book": (1.0, 1),
        "cold / film": (0.0, 1),
        "all types": (1 / 5, 5),
        "all types / book": (1 / 3, 3),
        "all types / film": (0.0, 2),
        "all targets": (3 / 7, 7),
        "all targets / book": (2 / 4, 4),
        "all targets / film": (1 / 3, 3),
        "unseen": (1 / 2, 2),
        "unseen / book": (1.0, 1),
        "unseen / film": (0.0, 1),
        "unseen alone": (1.0, 2),
        "unseen alone / book": (1.0, 1),
        "unseen alone / film": (1.0, 1),
    }


def test_the_unseen_items_that_compete_are_counted() -> None:
    got = evaluate([FIRST], people(), library(), SETTINGS).measurements
    counts = {each.slice: each.value for each in got if each.metric == UNSEEN_ITEMS}
    assert counts == {"unseen alone": 2, "unseen alone / book": 1, "unseen alone / film": 1}


def test_every_model_has_every_metric_and_an_interval_around_each_mean() -> None:
    got = evaluate([FIRST, LAST], people(), library(), SETTINGS).measurements
    for model in (FIRST.name, LAST.name):
        found = {each.metric: each for each in got if (each.model, each.slice) == (model, "book")}
        assert tuple(found) == MEASURED
        for metric, each in found.items():
            if metric in {*COVERAGE.values(), GINI}:
                assert (each.low, each.high) == (None, None)
            else:
                assert each.low is not None
                assert each.high is not None
                assert 0 <= each.low <= each.value <= each.high <= 1


def test_a_mean_over_users_with_a_hit_says_how_many_they_are() -> None:
    got = evaluate([FIRST], people(), library(), SETTINGS).measurements
    found = find(got, FIRST.name, "overall", MRR_HIT)
    # Ranks 1, 11 (two of the twelve books before it are history), 1 and 20; one can't be found.
    assert found.users == 4
    assert found.value == pytest.approx((1 + 1 / 11 + 1 + 1 / 20) / 4)
    assert find(got, FIRST.name, "overall", MRR_ALL).value == pytest.approx(found.value * 4 / 5)


def test_a_mean_over_nobody_is_left_out() -> None:
    cases = cases_of([[3]], [3])
    got = evaluate([FIRST], cases, library(), SETTINGS).measurements
    assert MRR_HIT not in {each.metric for each in got}
    assert find(got, FIRST.name, "overall", HIT_RATE).value == 0.0


def test_coverage_is_a_share_of_the_items_asked_for() -> None:
    got = evaluate([FIRST], people(), library(), SETTINGS).measurements
    # The first ten books, less history: rows 0 to 9 for two people, up to 11 for the other.
    assert find(got, FIRST.name, "book", COVERAGE[TOP]).value == pytest.approx(12 / BOOKS)
    assert find(got, FIRST.name, "film", COVERAGE[TOP]).value == pytest.approx(10 / FILMS)
    assert find(got, FIRST.name, "overall", COVERAGE[TOP]).value == pytest.approx(22 / 50)
    assert find(got, FIRST.name, "unseen alone", COVERAGE[TOP]).value == 1.0


def test_tied_and_repeated_targets_are_reported_beside_the_models() -> None:
    got = evaluate([FIRST], people(), library(), SETTINGS).measurements
    assert find(got, CASES, "overall", TIED).value == pytest.approx(1 / 5)
    assert find(got, CASES, "overall", REPEATED).value == pytest.approx(1 / 5)
    assert find(got, CASES, "unseen", TIED).value == pytest.approx(1 / 2)


def test_a_data_sets_own_test_slices_and_unseen_users_stand_apart() -> None:
    cases = cases_of(
        [[]] * 4,
        [0, 1, 2, 31],
        slices=["test_a", "test_a", "test_b", "valid"],
        unseen_person=[True, False, False, False],
    )
    sizes = {part.name: int(part.chosen.sum()) for part in split_into_slices(cases, library())}
    assert sizes["test_a"] == 2
    assert sizes["test_b / book"] == 1
    assert sizes["unseen users"] == 1
    assert not [name for name in sizes if name.startswith("valid")]


def test_a_lone_type_does_not_repeat_the_whole() -> None:
    candidates = Candidates(
        ("book",), np.zeros(50, np.int64), np.ones(50, np.int64), np.ones(50, np.bool_)
    )
    names = {part.name for part in split_into_slices(cases_of([[]], [0]), candidates)}
    assert names == {"overall", "cold"}


def test_candidates_are_trained_by_weak_rows_too_and_popular_by_strong_ones_alone(
    tmp_path: Path,
) -> None:
    pl.DataFrame(
        {"item_id": ["f", "b1", "b0"], "item_type": ["film", "book", "book"]}
    ).with_columns(title=pl.lit("t")).write_parquet(tmp_path / "items.parquet")
    pl.DataFrame(
        {
            "user_id": ["u"] * 3,
            "item_id": ["b0", "f", "b1"],
            "signal": ["buy", "look", "skip"],
            "seq": [0, 1, 2],
        }
    ).write_parquet(tmp_path / "interactions.parquet")
    (tmp_path / "dataset.toml").write_text(
        '[signals]\nbuy = "strong"\nlook = "weak"\nskip = "negative"\n'
    )
    dataset = read_dataset(tmp_path, strict=True)
    candidates = Candidates.of(dataset, dataset.interactions)
    assert candidates.item_types == ("book", "film")
    assert candidates.trained.tolist() == [True, False, True]
    assert candidates.popularity.tolist() == [1, 0, 0]


def test_differences_are_signed_and_cover_every_other_model_and_compared_metric() -> None:
    third = ByRow("last rows again", 1.0)
    evaluation = evaluate([FIRST, LAST, third], people(), library(), SETTINGS)
    got = evaluation.differences(FIRST.name, "overall")
    pairs = [f"{FIRST.name} - {other}" for other in (LAST.name, third.name)]
    assert [(each.model, each.metric) for each in got] == [
        (pair, metric) for pair in pairs for metric in COMPARED
    ]
    for each in got:
        first, last = (
            find(evaluation.measurements, one.name, "overall", each.metric) for one in (FIRST, LAST)
        )
        assert each.value == pytest.approx(first.value - last.value)
        assert (each.slice, each.users) == ("overall", 5)
    back = find(
        evaluation.differences(LAST.name, "overall"), "last rows - first rows", "overall", NDCG
    )
    gain = find(got, pairs[0], "overall", NDCG)
    assert gain.high is not None
    assert back.value == pytest.approx(-gain.value)
    assert back.low == pytest.approx(-gain.high)


def test_differences_are_taken_user_by_user() -> None:
    cases = cases_of([[]] * 30, [0] * 15 + [25] * 15)  # the easy half and the hard one
    evaluation = evaluate([FIRST, ByRow("the same", -1.0)], cases, library(), SETTINGS)
    mean = find(evaluation.measurements, FIRST.name, "overall", HIT_RATE)
    assert mean.low is not None
    assert mean.low < mean.value == 0.5
    for each in evaluation.differences(FIRST.name, "overall"):
        assert (each.value, each.low, each.high) == (0.0, 0.0, 0.0)


def test_interval_of_a_difference_is_that_of_the_mean_over_drawn_users() -> None:
    evaluation = evaluate([FIRST, LAST], people(), library(), SETTINGS)
    gain = find(
        evaluation.differences(FIRST.name, "overall"), "first rows - last rows", "overall", HIT_RATE
    )
    # Hits by the first rows: items 0 and 30; by the last rows: item 49.
    by_user = np.array([1.0, 0.0, 1.0, -1.0, 0.0])
    drawn = np.random.default_rng(SETTINGS.seed).integers(0, 5, (SETTINGS.replicates, 5))
    low, high = np.quantile(by_user[drawn].mean(axis=1), [0.025, 0.975])
    assert gain.value == pytest.approx(by_user.mean())
    assert gain.low == pytest.approx(low)
    assert gain.high == pytest.approx(high)


def test_a_lone_model_has_nothing_to_differ_from() -> None:
    evaluation = evaluate([FIRST], people(), library(), SETTINGS)
    assert evaluation.differences(FIRST.name, "overall") == ()


@pytest.mark.parametrize(("model", "part"), [("nobody", "overall"), ("first rows", "nowhere")])
def test_a_comparison_that_does_not_exist_is_refused(model: str, part: str) -> None:
    evaluation = evaluate([FIRST], people(), library(), SETTINGS)
    with pytest.raises(EvaluationError, match="no 'no"):
        evaluation.differences(model, part)


def test_the_served_model_is_compared_on_the_slices_asked_for_and_no_other_is() -> None:
    served = ByRow(SERVED, 1.0)
    evaluation = evaluate([FIRST, served, LAST], people(), library(), SETTINGS)
    got = compare_served(evaluation, ("overall", "book"))
    assert {(each.model, each.slice) for each in got} == {
        (f"{SERVED} - {other}", part)
        for other in (FIRST.name, LAST.name)
        for part in ("overall", "book")
    }
    assert compare_served(evaluate([FIRST], people(), library(), SETTINGS), ("overall",)) == ()


def test_rankers_are_let_go_one_after_the_other() -> None:
    alive: list[weakref.ref[ByRow]] = []

    def fitted() -> Iterator[Ranker]:
        for number in range(3):
            gc.collect()
            assert [ref() for ref in alive] == [None] * number
            yield remembered(ByRow(f"ranker {number}", 1.0))

    def remembered(ranker: ByRow) -> ByRow:
        alive.append(weakref.ref(ranker))
        return ranker

    evaluation = evaluate(fitted(), people(), library(), SETTINGS)
    assert list(evaluation.rankings) == ["ranker 0", "ranker 1", "ranker 2"]


def test_progress_names_the_ranker() -> None:
    told: list[tuple[str, int, int]] = []
    settings = EvaluationSettings(replicates=10, chunk=3)

    def tell(name: str, done: int, total: int) -> None:
        told.append((name, done, total))

    evaluate([FIRST], people(), library(), settings, on_progress=tell)
    assert told == [("first rows", 3, 7), ("first rows", 6, 7), ("first rows", 7, 7)]


def test_the_same_seed_gives_the_same_intervals_and_another_does_not() -> None:
    def run(seed: int) -> tuple[Measurement, ...]:
        rng = np.random.default_rng(0)
        cases = cases_of([[]] * 60, rng.integers(6, BOOKS, 60).tolist())
        settings = EvaluationSettings(replicates=50, seed=seed)
        return evaluate([FIRST], cases, library(), settings).measurements

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_no_cases_no_rankers_and_one_name_twice_are_refused() -> None:
    with pytest.raises(EvaluationError, match="at least one held-out target"):
        evaluate([FIRST], cases_of([], []), library())
    with pytest.raises(EvaluationError, match="at least one ranker"):
        evaluate([], people(), library())
    with pytest.raises(EvaluationError, match="two rankers are called 'first rows'"):
        evaluate([FIRST, ByRow("first rows", 1.0)], people(), library())


def test_metrics_file_is_a_list_of_plain_records_and_reads_back(tmp_path: Path) -> None:
    measurements = evaluate([FIRST, LAST], people(), library(), SETTINGS).measurements
    path = tmp_path / "metrics.json"
    write_metrics(path, measurements)
    records = json.loads(path.read_text())
    assert {tuple(record) for record in records} == {
        ("model", "slice", "metric", "value", "low", "high", "users")
    }
    assert tuple(Measurement(**record) for record in records) == measurements
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


def test_a_user_asked_for_two_types_has_two_lists_in_them_and_one_over_all() -> None:
    cases = cases_of([[], []], [0, 30], users=[8, 8])
    evaluation = evaluate([FIRST], cases, library(), SETTINGS)
    assert {part.scope for part in evaluation.slices} == {Scope.TYPE, Scope.ALL}
    inside = find(evaluation.measurements, FIRST.name, "overall", NDCG)
    assert (inside.value, inside.users) == (1.0, 1)
    over_all = find(evaluation.measurements, FIRST.name, "all types", NDCG)
    assert over_all.value == pytest.approx(1 / (1 + 1 / np.log2(3)))
