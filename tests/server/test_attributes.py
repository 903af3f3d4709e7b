"""Filters on attributes, against an oracle that reads one item at a time."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.generation import Generation
from export.generation.layout import NO_YEAR
from export.generation.texts import TextColumn
from features.content import content_key
from server.requests import Traits
from server.stores.attributes import Attributes
from server.stores.distinct import distinct
from server.stores.groups import Groups

LANGUAGES = ("en", " EN ", "de", "", "pt-BR", "日本語")
GENRES = ("", "crime", "Crime|history", "science  fiction|crime", "|", "a genre of many bytes|é")
CREATORS = ("", "Ann", "ann ", "B", "eight by", "nine byte", "nine bytf")
YEARS = (NO_YEAR, -500, 1999, 2000, 2001)


def key(text: str) -> str:
    return str(content_key(pl.Series([text]))[0])


@st.composite
def some_items(draw: st.DrawFn) -> list[tuple[str, str, str, int]]:
    count = draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    kinds: tuple[tuple[str, ...], ...] = (LANGUAGES, GENRES, CREATORS)
    return [
        (*(kind[rng.integers(len(kind))] for kind in kinds), YEARS[rng.integers(len(YEARS))])  # type: ignore[misc]  # three texts
        for _ in range(count)
    ]


def few(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), max_size=3).map(tuple)


some_traits = st.builds(
    Traits,
    languages=few("en", "EN", "de", "xx", "日本語"),
    genres=few("crime", "HISTORY", "no genre", "é"),
    all_genres=few("crime", "history", "science fiction", "no genre"),
    creators=few("Ann", "b", "eight by", "nine byte", "nobody"),
    year_from=st.none() | st.sampled_from((-9999, 1999, 2001)),
    year_to=st.none() | st.sampled_from((-500, 2000, 9999)),
)


def of(generation: Generation, items: list[tuple[str, str, str, int]]) -> Attributes:
    languages, genres, creators, years = zip(*items, strict=True)
    small = replace(
        generation,
        item_type=np.zeros(len(items), dtype=np.int64),
        language=TextColumn.from_texts(languages),
        genres=TextColumn.from_texts(genres),
        creator=TextColumn.from_texts(creators),
        year=np.array(years, dtype=np.int32),
    )
    return Attributes(small)


def passes(item: tuple[str, str, str, int], traits: Traits) -> bool:
    language, joined, creator, year = item
    genres = {key(each) for each in joined.split("|")}
    low = -(2**31) + 1 if traits.year_from is None else traits.year_from
    high = 2**31 - 1 if traits.year_to is None else traits.year_to
    return (
        (not traits.languages or key(language) in map(key, traits.languages))
        and (not traits.genres or bool(genres & {*map(key, traits.genres)}))
        and {*map(key, traits.all_genres)} <= genres
        and (not traits.creators or key(creator) in map(key, traits.creators))
        and (traits.year_from is traits.year_to is None or low <= year <= high)
    )


@settings(max_examples=200, deadline=None)
@given(some_items(), some_traits)
def test_what_passes_is_what_an_item_by_item_reading_lets_pass(
    generation: Generation, items: list[tuple[str, str, str, int]], traits: Traits
) -> None:
    admitted = of(generation, items).admit(traits)
    wanted = [row for row, item in enumerate(items) if passes(item, traits)]
    assert admitted.admission.rows.tolist() == wanted
    there = {
        "languages": {key(item[0]) for item in items},
        "genres": {key(genre) for item in items for genre in item[1].split("|")},
        "creators": {key(item[2]) for item in items},
    }
    there["all_genres"] = there["genres"]
    unknown = dict(admitted.unknown)
    for field, known in there.items():
        asked = getattr(traits, field)
        assert {*unknown.get(field, ())} == {each for each in asked if key(each) not in known}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=40) | st.sampled_from(("", "a", "a\0", "a\0\0", "12345678"))))
def test_distinct_texts_are_numbered(texts: list[str]) -> None:
    found = distinct(TextColumn.from_texts(texts))
    assert sorted(found.texts) == sorted(set(texts))
    assert [found.texts[number] for number in found.number] == texts


def test_values_of_very_different_length_are_told_apart() -> None:
    texts = ["x" * n for n in (0, 1, 7, 8, 9, 16, 1000)] * 2 + ["x" * 999 + "y"]
    found = distinct(TextColumn.from_texts(texts))
    assert len(found.texts) == 8
    assert [found.texts[number] for number in found.number] == texts


def test_more_values_than_fit_sixteen_bits() -> None:
    groups = Groups.of(TextColumn.from_texts(str(n % 70_000) for n in range(140_000)))
    assert len(groups.keys) == 70_000
    assert groups.members(["69999"])[0].tolist() == [69_999, 139_999]


def test_column_without_a_row_has_no_group() -> None:
    assert [
        each.tolist() for each in Groups.of(TextColumn.from_texts([]), "|").members(["a", ""])
    ] == [[], []]


@pytest.mark.parametrize(
    "traits",
    [Traits(languages=("de",)), Traits(genres=("crime",)), Traits(creators=("crime house",))],
)
def test_equal_filters_share_their_rows(generation: Generation, traits: Traits) -> None:
    attributes = Attributes(generation)
    attributes.warm_up()
    assert attributes.admit(traits) is attributes.admit(replace(traits))
    assert len(attributes.admit(traits).admission.rows)
