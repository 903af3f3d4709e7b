"""Figures and differences against numbers worked out by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.cases import cases_of
from training.ranking import Candidates, Scope
from training.ranks import ABSENT, Ranks, widen
from training.variant_figures import Row, figures
from training.variant_runs import Comparison
from training.variant_tables import write_comparison
from training.variants import DEFAULT, Variant

# books 0 to 3, films 4 to 7, of which 7 was never chosen in training
TYPES = np.repeat([0, 1], 4)
TRAINED = np.arange(8) < 7
CASES = cases_of([[1], [1], [5], [5]], [0, 2, 4, 7])


def ranks_of(of_type: list[int], unseen: list[int] | None = None) -> Ranks:
    return {Scope.TYPE: np.array(of_type), Scope.UNSEEN: np.array(unseen or of_type)}


def compared(
    ranks: dict[str, list[Ranks]], **besides: tuple[str, ...]
) -> dict[tuple[str, str, str], Row]:
    variants = tuple(
        Variant(name=name, meaning="", models=("2t-hgnn",), besides=besides.get(name, ()))
        for name in ranks
    )
    found = Comparison(
        variants,
        tuple(range(len(ranks[DEFAULT]))),
        CASES,
        Candidates(("book", "film"), TYPES, TRAINED.astype(np.int64), TRAINED),
        "by hand",
        {(name, "2t-hgnn"): per_seed for name, per_seed in ranks.items()},
    )
    return {(row.variant, row.slice, row.metric): row for row in figures(found)}


def test_a_difference_is_taken_user_by_user_and_seed_by_seed() -> None:
    rows = compared(
        {
            DEFAULT: [ranks_of([1, 2, 20, 1]), ranks_of([1, 2, 4, 1])],
            "other": [ranks_of([1, 2, 2, 1]), ranks_of([1, 20, 20, 1])],
        }
    )
    row = rows["other", "overall", "HR@10"]
    assert row.users == 3  # the unseen film is apart
    assert row.figure.per_seed == pytest.approx((1, 1 / 3))
    assert row.figure.value == pytest.approx(2 / 3)
    assert row.figure.spread == pytest.approx(2**0.5 / 3)
    (difference,) = row.differences
    assert (difference.variant, difference.model) == (DEFAULT, "2t-hgnn")
    assert difference.figure.per_seed == pytest.approx((1 / 3, -2 / 3))
    assert difference.figure.value == pytest.approx(-1 / 6)
    # users gain 0, -1/2 and 0: the interval of their mean lies between these
    assert difference.figure.low == pytest.approx(-1 / 2)
    assert difference.figure.high == pytest.approx(0)
    mrr = rows["other", "book", "MRR (all users)"].figure
    assert mrr.per_seed == pytest.approx(((1 + 1 / 2) / 2, (1 + 1 / 20) / 2))
    assert rows[DEFAULT, "overall", "HR@10"].differences == ()


def test_unseen_items_are_apart_and_ranked_in_both_ways() -> None:
    rows = compared({DEFAULT: [ranks_of([1, 1, 1, 50], [1, 1, 1, 2])]})
    assert rows[DEFAULT, "unseen", "HR@10"].figure.value == 0
    assert rows[DEFAULT, "unseen alone", "HR@10"].figure.value == 1
    assert rows[DEFAULT, "unseen", "HR@10"].figure.spread is None


def test_a_variant_of_one_type_takes_part_where_all_were_asked() -> None:
    books = widen(ranks_of([3, 4]), TYPES[CASES.target] == 0)
    assert books[Scope.TYPE].tolist() == [3, 4, ABSENT, ABSENT]
    rows = compared({DEFAULT: [ranks_of([1, 2, 3, 4])], "books": [books]})
    assert {slice_name for name, slice_name, _ in rows if name == "books"} == {"book"}
    (difference,) = rows["books", "book", "MRR (all users)"].differences
    assert difference.figure.value == pytest.approx((1 / 3 + 1 / 4 - 1 - 1 / 2) / 2)


def test_a_variant_is_compared_with_others_beside_the_default() -> None:
    ranks = {DEFAULT: [ranks_of([1] * 4)], "one": [ranks_of([20] * 4)], "two": [ranks_of([1] * 4)]}
    rows = compared(ranks, two=("one",))
    gains = {
        each.variant: each.figure.value for each in rows["two", "overall", "HR@10"].differences
    }
    assert gains == {DEFAULT: 0, "one": 1}


def test_while_rows_are_missing_the_tables_say_so(tmp_path: Path) -> None:
    names = (DEFAULT, "other", "barred")
    found = Comparison(
        tuple(Variant(name=name, meaning="as it is", models=("2t-hgnn",)) for name in names),
        (0,),
        CASES,
        Candidates(("book", "film"), TYPES, TRAINED.astype(np.int64), TRAINED),
        "by hand",
        {(DEFAULT, "2t-hgnn"): [ranks_of([1, 1, 1, 1])]},
        {"barred": "no\nedges | at all"},
    )
    page = write_comparison(tmp_path, "some", "Some", found, figures(found)).read_text()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    assert [DEFAULT, "as it is", "yes"] in cells
    assert ["other", "as it is", "not yet"] in cells
    assert ["barred", "as it is", "no: no edges / at all"] in cells
    assert "### unseen alone (1 user, among 1 unseen item)" in page
    assert "### unseen (1 user)" in page
    assert "would also hold with other seeds" in page
    assert json.loads((tmp_path / "some.json").read_text())["cases"] == 4
