"""Which cases are taken together by popularity and by length of history."""

import numpy as np
import polars as pl
import pytest

from tests.support.cases import cases_of
from training.ranking import Candidates
from training.slices import SEPARATOR, Slice, split_into_slices, type_names


def library(popularity: list[int]) -> Candidates:
    chosen_by = np.array(popularity, dtype=np.int64)
    return Candidates(("book",), np.zeros(len(popularity), np.int64), chosen_by, chosen_by > 0)


def parts(slices: tuple[Slice, ...], whole: str) -> dict[str, list[int]]:
    """The cases of each part of `whole`."""
    named = [each for each in slices if each.name.startswith(whole + SEPARATOR)]
    return {each.name.split(SEPARATOR)[1]: np.flatnonzero(each.chosen).tolist() for each in named}


def test_targets_are_sorted_by_the_fifth_of_their_item_and_unseen_ones_stay_out() -> None:
    cases = cases_of([[]] * 6, [4, 0, 2, 4, 5, 1])
    slices = split_into_slices(cases, library([2, 2, 2, 4, 10, 0]))
    assert parts(slices, "popularity fifth") == {"1": [1, 2, 5], "4": [0, 3]}


@pytest.mark.parametrize(
    ("length", "bucket"),
    [
        (0, "0"),
        (1, "1-4"),
        (4, "1-4"),
        (5, "5-9"),
        (9, "5-9"),
        (10, "10-19"),
        (19, "10-19"),
        (20, "20-49"),
        (49, "20-49"),
        (50, "50-99"),
        (99, "50-99"),
        (100, "100+"),
        (700, "100+"),
    ],
)
def test_a_history_lies_in_the_bucket_of_its_length(length: int, bucket: str) -> None:
    # Somebody of another bucket is beside, since one bucket alone would be no slice.
    other = 2 if length > 4 else 200
    slices = split_into_slices(cases_of([[1] * length, [1] * other], [0, 0]), library([1, 2]))
    found = parts(slices, "history length")
    assert found[bucket] == [0]
    assert len(found) == 2


def test_people_are_taken_together_by_what_is_told_of_them() -> None:
    """The eight largest countries; the unknown one and unseen targets are in none."""
    country = [f"C{n}" for n in range(9) for _ in range(2 if n else 1)] + [None, "C1"]
    people = pl.DataFrame(
        {
            "country": country,
            "age_bucket": ["18-24"] * len(country),
            "gender": pl.Series([None] * len(country), dtype=pl.String),
        }
    )
    cases = cases_of([[1]] * len(country), [0] * (len(country) - 1) + [2])
    slices = split_into_slices(cases, library([1, 2, 0]), people)
    found = parts(slices, "country")
    assert set(found) == {f"C{n}" for n in range(1, 9)}
    assert found["C1"] == [1, 2]
    assert not parts(slices, "age")  # one bucket alone
    assert not parts(slices, "gender")
    assert not parts(split_into_slices(cases, library([1, 2, 0])), "country")


def test_what_one_bucket_holds_whole_is_no_slice() -> None:
    slices = split_into_slices(cases_of([[1, 2], [1]], [0, 0]), library([3, 3, 3]))
    assert {each.name for each in slices} == {"overall", "cold"}


def test_no_slice_has_the_name_of_another_whatever_the_types_are_called() -> None:
    types = ("all types", "cold", "overall", "test", "unseen alone", "warm", "warm / cold")
    people = np.tile([0, 3], 7).astype(np.int64)
    shelf = Candidates(types, np.arange(14) // 2, people, people > 0)
    flags = [number % 2 == 0 for number in range(14)]
    cases = cases_of(
        [[1]] * 14,
        list(range(14)),
        warm=flags[1:] + flags[:1],
        unseen_person=[number > 8 for number in range(14)],
        slices=["test"] * 5 + ["test / new"] * 5 + ["test/new"] * 4,
    )
    slices = split_into_slices(cases, shelf)
    names = [each.name for each in slices]
    assert len(set(names)) == len(names)
    chosen = {each.name: np.flatnonzero(each.chosen).tolist() for each in slices}
    familiar = list(range(1, 14, 2))
    assert chosen["overall"] == familiar
    assert chosen["all types"] == familiar
    assert chosen["all targets"] == list(range(14))
    assert chosen["warm"] == [number for number in familiar if cases.warm[number]]
    assert chosen["unseen alone"] == list(range(0, 14, 2))
    assert chosen["test"] == [1, 3]
    assert chosen["test test/new"] == [5, 7, 9]
    assert chosen["test/new"] == [11, 13]
    assert chosen["type overall"] == [5]
    assert chosen["type warm"] == [11]
    assert chosen["warm/cold"] == [13]
    assert "warm/cold" in {name for name in names if SEPARATOR not in name}


def test_a_type_keeps_its_name_where_that_says_what_it_is() -> None:
    assert type_names(("book", "type warm", "warm")) == ("book", "type warm", "type type warm")
    assert type_names(("a / b", "a/b", "tv/film")) == ("type a/b", "a/b", "tv/film")


def test_coverage_of_these_slices_is_a_share_of_the_whole_catalogue() -> None:
    slices = split_into_slices(cases_of([[], [1]], [0, 0]), library([3, 3, 3]))
    sizes = {each.pool_size for each in slices if each.name.startswith("history length")}
    assert sizes == {3}


def test_what_only_weak_signals_touched_is_familiar_and_in_no_fifth() -> None:
    chosen_by = np.array([5, 3, 0, 0])
    trained = np.array([True, True, True, False])
    candidates = Candidates(("book",), np.zeros(4, np.int64), chosen_by, trained)
    slices = split_into_slices(cases_of([[]] * 4, [0, 1, 2, 3]), candidates)
    assert parts(slices, "popularity fifth") == {"1": [1], "4": [0]}
    chosen = {part.name: np.flatnonzero(part.chosen).tolist() for part in slices}
    assert chosen["overall"] == [0, 1, 2]
    assert chosen["unseen"] == chosen["unseen alone"] == [3]
    assert chosen["all targets"] == [0, 1, 2, 3]
