import time
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import TextError
from features.schema import MAX_TEXT_CHARS, ItemRecord, clean_text, compose_text

WHALE = ItemRecord(
    item_type="book",
    title="Moby-Dick",
    description="A captain hunts a whale.",
    language="en",
    genres=("Adventure", "Sea story"),
    creator="Herman Melville",
    year=1851,
)


def test_the_text_is_title_genres_creator_description() -> None:
    assert compose_text(WHALE) == (
        "Moby-Dick. Adventure, Sea story. Herman Melville. A captain hunts a whale."
    )


def test_empty_parts_leave_no_trace() -> None:
    assert compose_text(ItemRecord("book", title="Emma", creator=" \t")) == "Emma."
    assert compose_text(ItemRecord("book", genres=("", "Gothic"))) == "Gothic."


def test_a_part_that_ends_a_sentence_gets_no_second_stop() -> None:
    item = ItemRecord("film", title="Safety Last!", description="吾輩は猫である。")
    assert compose_text(item) == "Safety Last! 吾輩は猫である。"


def test_type_language_and_year_are_not_in_the_text() -> None:
    other = replace(WHALE, item_type="film", language="fi", year=None)
    assert compose_text(other) == compose_text(WHALE)


@pytest.mark.parametrize(
    "item",
    [
        ItemRecord("book"),
        ItemRecord("book", title="\x00\x1f", description=" \n", genres=("", "\u200b")),
        ItemRecord("book", language="en", year=1851),
    ],
)
def test_an_item_with_nothing_to_read_is_refused_with_its_fields(item: ItemRecord) -> None:
    with pytest.raises(TextError, match="title, genres, creator and description"):
        compose_text(item)


def test_controls_become_space_and_scripts_stay() -> None:
    assert clean_text("The\x00\x1b Time\r\n\u2028Machine\x7f\x85") == "The Time Machine"
    for kept in ("می‌خواهم", "👩‍👩‍👧", "ἄνδρα", "กขค", "אבג", "鯨", "\U0001d509", "\u202eabc"):
        assert clean_text(kept) == unicodedata.normalize("NFC", kept)


def test_both_spellings_of_an_accent_are_one_text() -> None:
    assert clean_text("e\u0301galite\u0301") == clean_text("\xe9galit\xe9") == "\xe9galit\xe9"


def test_half_a_surrogate_pair_is_dropped() -> None:
    assert clean_text("a\ud800b\udfff") == "a b"


@given(st.text(max_size=300))
def test_clean_text_is_clean_and_stays_so(text: str) -> None:
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert cleaned.encode().decode() == cleaned
    assert not any(unicodedata.category(character) == "Cc" for character in cleaned)
    assert unicodedata.is_normalized("NFC", cleaned)


@pytest.mark.parametrize("unit", ["whale ", "x", "\u0315\u0300", "\u0958", " ", "\x00", "각"])
def test_a_megabyte_is_cut_in_no_time(unit: str) -> None:
    text = unit * ((1 << 20) // len(unit))
    start = time.monotonic()
    cleaned = clean_text(text)
    assert time.monotonic() - start < 2
    assert len(cleaned) <= MAX_TEXT_CHARS
    assert clean_text(cleaned) == cleaned


def test_a_huge_description_does_not_lose_the_title() -> None:
    text = compose_text(replace(WHALE, description="whale " * 200_000))
    assert text.startswith("Moby-Dick. Adventure, Sea story. Herman Melville. whale")
    assert MAX_TEXT_CHARS - 10 < len(text) <= MAX_TEXT_CHARS


def test_a_record_is_read_from_a_tables_row() -> None:
    row = {
        "item_id": "b1",
        "item_type": "book",
        "title": "Moby-Dick",
        "description": "A captain hunts a whale.",
        "language": "en",
        "genres": "Adventure| Sea story||",
        "creator": "Herman Melville",
        "year": 1851,
        "price": 3.5,
    }
    assert ItemRecord.from_row(row) == WHALE
    assert ItemRecord.from_row({**row, "genres": ["Adventure", "Sea story", None]}) == WHALE


def test_null_and_absent_columns_are_empty() -> None:
    row = {"item_type": "book", "title": None, "genres": None, "year": None}
    assert ItemRecord.from_row(row) == ItemRecord("book")
