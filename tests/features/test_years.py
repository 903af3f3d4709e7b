"""Years as smooth numbers beside the text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.errors import EncoderError
from features.schema import ItemRecord
from features.years import PLACES, SCALE, YearEncoder, join_years


def of(*years: int | None) -> list[ItemRecord]:
    return [ItemRecord("book", year=year) for year in years]


def encode(encoder: YearEncoder, *years: int | None) -> NDArray[np.float32]:
    return encoder.encode(of(*years))


def test_places_are_known_by_hand() -> None:
    # Of four dated items half of one is before 1990 (place 1/8), one and half of three before
    # 2000 (5/8).
    encoder = YearEncoder.fit(of(2000, 1990, 2000, 2000, None))
    centres = (np.arange(PLACES) + 0.5) / PLACES
    for year, place in ((1990, 1 / 8), (2000, 5 / 8), (1995, 3 / 8)):
        bumps = np.exp(-(((place - centres) * PLACES) ** 2) / 2)
        expected = bumps / np.linalg.norm(bumps)
        np.testing.assert_allclose(encode(encoder, year)[0], expected, atol=1e-6)


def test_years_are_as_alike_as_they_are_near_in_the_catalogue() -> None:
    # A hundred years of one item each, then ten of a hundred each.
    encoder = YearEncoder.fit(of(*range(1900, 2000), *(list(range(2000, 2010)) * 100)))
    old, older, new, newer, same = encode(encoder, 1950, 1940, 2004, 2006, 2004)
    assert old @ older > 0.95
    assert new @ newer < 0.2
    assert old @ new < 1e-3
    np.testing.assert_allclose(new @ same, 1, atol=1e-6)


def test_years_outside_are_those_at_the_ends() -> None:
    encoder = YearEncoder.fit(of(1990, 1995, 2000))
    first, before, last, after = encode(encoder, 1990, -9999, 2000, 9999)
    assert np.array_equal(first, before)
    assert np.array_equal(last, after)


def test_the_unknown_year_is_what_dated_items_are_in_the_mean() -> None:
    encoder = YearEncoder.fit(of(1990, 1990, 2000, None))
    mean = encode(encoder, 1990, 1990, 2000).mean(axis=0)
    np.testing.assert_allclose(encode(encoder, None)[0], mean / np.linalg.norm(mean), atol=1e-6)
    assert not np.allclose(encode(encoder, None), encode(encoder, 0))  # a year like others


@pytest.mark.parametrize("years", [(), (None, None), (1990,), (1990, 1990, None)])
def test_a_year_that_tells_nothing_apart_takes_no_room(years: tuple[int | None, ...]) -> None:
    encoder = YearEncoder.fit(of(*years))
    assert encoder.width == 0
    assert encode(encoder, 1990, None, 2000).shape == (3, 0)
    text = np.eye(3, dtype=np.float32)
    assert join_years(text, encode(encoder, 1990, None, 2000)) is text


def test_joined_rows_are_unit_and_weigh_text_and_years_as_told() -> None:
    encoder = YearEncoder.fit(of(1990, 2000))
    text = np.eye(2, 5, dtype=np.float32)
    joined = join_years(text, encode(encoder, 1990, None))
    assert joined.dtype == np.float32
    assert joined.shape == (2, 5 + PLACES)
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-6)
    parts = np.linalg.norm(joined[:, 5:], axis=1) / np.linalg.norm(joined[:, :5], axis=1)
    np.testing.assert_allclose(parts, SCALE, atol=1e-6)
    assert np.array_equal(text, np.eye(2, 5, dtype=np.float32))


def test_json_brings_back_the_same_encoder() -> None:
    encoder = YearEncoder.fit(of(1990, 2000, -44, None))
    assert YearEncoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder
    assert YearEncoder.from_json([]) == YearEncoder()


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        "1990",
        [1990],
        [[1990]],
        [[1990, 1, 1]],
        [[1990, 0]],
        [[1990, 1.5]],
        [["1990", 1]],
        [[True, 1]],
        [[2000, 1], [1990, 1]],
        [[1990, 1], [1990, 2]],
    ],
)
def test_what_is_no_encoder_is_refused(value: object) -> None:
    with pytest.raises(EncoderError, match="pairs of a year and a count"):
        YearEncoder.from_json(value)


years = st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=12)


@given(years, years)
def test_rows_are_unit_and_batch_equals_singles(
    seen: list[int | None], asked: list[int | None]
) -> None:
    encoder = YearEncoder.fit(of(*seen))
    assert YearEncoder.fit(of(*seen[::-1])) == encoder
    together = encode(encoder, *asked)
    assert together.shape == (len(asked), encoder.width)
    assert np.isfinite(together).all()
    if encoder.width:
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for row, year in zip(together, asked, strict=True):
        assert np.array_equal(encode(encoder, year)[0], row)
