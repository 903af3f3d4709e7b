"""Spellings of a value that items share."""

import polars as pl

from features.content import content_key


def test_case_and_white_space_do_not_tell_values_apart() -> None:
    values = pl.Series(["Jane  Austen", " jane austen\t", "JANE\u00a0AUSTEN", "Jane-Austen"])
    assert content_key(values).to_list() == ["jane austen"] * 3 + ["jane-austen"]


def test_nothing_and_mere_space_are_no_value() -> None:
    assert content_key(pl.Series(["", " \n", None])).to_list() == ["", "", ""]


def test_numbers_are_values_too() -> None:
    assert content_key(pl.Series([1999, None])).to_list() == ["1999", ""]
