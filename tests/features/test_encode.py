import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.encode import ItemEncoder, UserEncoder, UserRecord
from features.errors import EncoderError, UnknownIdError
from features.schema import ItemRecord

ITEMS = [
    ItemRecord("film", title="A", language="en", genres=("Drama", "Comedy")),
    ItemRecord("book", title="B", language="fi", genres=("Drama",)),
    ItemRecord("book", title="C", language="", genres=()),
]
USERS = [UserRecord("FI", "25-34", "f"), UserRecord("SE", "25-34", ""), UserRecord()]


def test_rows_are_known_by_hand() -> None:
    arrays = ItemEncoder.fit(ITEMS).encode(ITEMS)
    assert arrays.item_type.tolist() == [1, 0, 0]
    assert arrays.language.tolist() == [1, 2, 0]
    assert arrays.genres.tolist() == [[0.5, 0.5], [0, 1], [0, 0]]
    assert arrays.item_type.dtype == np.int64
    assert arrays.language.dtype == np.int64
    assert arrays.genres.dtype == np.float32


def test_an_unseen_language_is_row_0_and_an_unseen_genre_is_left_out() -> None:
    stranger = ItemRecord("book", language="xx", genres=("Drama", "Telenovela"))
    arrays = ItemEncoder.fit(ITEMS).encode([stranger])
    assert arrays.language.tolist() == [0]
    assert arrays.genres.tolist() == [[0, 1]]


def test_unseen_genres_are_listed_once_as_they_were_spelled() -> None:
    stranger = ItemRecord("book", genres=("drama", "Telenovela", " ", "Noir", "TELENOVELA"))
    assert ItemEncoder.fit(ITEMS).unknown_genres(stranger) == ("Telenovela", "Noir")
    assert ItemEncoder.fit(ITEMS).unknown_genres(ITEMS[0]) == ()


def test_an_unseen_type_is_refused_and_the_known_ones_named() -> None:
    with pytest.raises(UnknownIdError, match=r"item_type must be one of book, film: .*'opera'"):
        ItemEncoder.fit(ITEMS).encode([ITEMS[0], ItemRecord("opera")])


def test_spellings_of_one_value_are_one_value() -> None:
    encoder = ItemEncoder.fit(ITEMS)
    same = ItemRecord("book", language=" FI ", genres=("DRAMA", "drama "))
    arrays = encoder.encode([same])
    assert arrays.language.tolist() == [2]
    assert arrays.genres.tolist() == [[0, 1]]


def test_rare_values_are_unknown() -> None:
    encoder = ItemEncoder.fit(ITEMS, min_count=2)
    assert encoder.genres.ids == ("drama",)
    assert encoder.languages.ids == ()
    assert encoder.encode(ITEMS).language.tolist() == [0, 0, 0]
    assert encoder.item_types.ids == ("book", "film")


def test_of_many_genres_the_most_frequent_are_kept() -> None:
    records = [ItemRecord("book", genres=("c", "b")), ItemRecord("book", genres=("c", "a", ""))]
    kept = [ItemEncoder.fit(records, most_genres=most).genres.ids for most in (0, 1, 2, 3, 9)]
    assert kept == [(), ("c",), ("a", "c"), ("a", "b", "c"), ("a", "b", "c")]


def test_a_genre_named_twice_by_one_item_counts_once() -> None:
    encoder = ItemEncoder.fit([ItemRecord("book", genres=("Drama", "drama"))], min_count=2)
    assert encoder.genres.ids == ()


def test_user_rows_are_known_by_hand() -> None:
    arrays = UserEncoder.fit(USERS).encode([*USERS, UserRecord("NO", "99+", "x")])
    assert arrays.country.tolist() == [1, 2, 0, 0]
    assert arrays.age.tolist() == [1, 1, 0, 0]
    assert arrays.gender.tolist() == [1, 0, 0, 0]
    assert arrays.country.dtype == np.int64


def test_nobody_and_nothing_can_be_encoded() -> None:
    assert ItemEncoder.fit(ITEMS).encode([]).genres.shape == (0, 2)
    assert UserEncoder.fit([]).encode([UserRecord("FI")]).country.tolist() == [0]
    assert ItemEncoder.fit([ItemRecord("book")]).encode([ItemRecord("book")]).genres.shape == (1, 0)


def test_json_brings_back_the_same_encoders() -> None:
    items, users = ItemEncoder.fit(ITEMS), UserEncoder.fit(USERS)
    assert ItemEncoder.from_json(items.to_json()) == items
    assert UserEncoder.from_json(users.to_json()) == users


def test_an_encoder_from_before_there_were_years_knows_none() -> None:
    fitted = ItemEncoder.fit([ItemRecord("book", year=1990), ItemRecord("book", year=2000)])
    assert fitted.years.width
    parts = json.loads(fitted.to_json())
    del parts["years"]
    older = ItemEncoder.from_json(json.dumps(parts))
    assert older.item_types == fitted.item_types
    assert older.encode([ItemRecord("book", year=1990)]).years.shape == (1, 0)


@pytest.mark.parametrize("text", ["[", "[]", "{}", '{"item_types": [], "languages": []}'])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(EncoderError):
        ItemEncoder.from_json(text)
    with pytest.raises(EncoderError):
        UserEncoder.from_json(text)


def test_an_items_encoder_is_not_a_users_encoder() -> None:
    with pytest.raises(EncoderError, match="countries, age_buckets, genders"):
        UserEncoder.from_json(ItemEncoder.fit(ITEMS).to_json())


records = st.builds(
    ItemRecord,
    item_type=st.sampled_from(["book", "film"]),
    language=st.text(max_size=3),
    genres=st.lists(st.text(max_size=4), max_size=4).map(tuple),
    year=st.none() | st.integers(1990, 1999),
)


@given(st.lists(records, min_size=1, max_size=20))
def test_order_does_not_matter_and_batch_equals_singles(items: list[ItemRecord]) -> None:
    encoder = ItemEncoder.fit(items)
    assert ItemEncoder.fit(items[::-1]) == encoder
    together = encoder.encode(items)
    sums = together.genres.sum(axis=1)
    assert (np.isclose(sums, 1) | (sums == 0)).all()
    for place, item in enumerate(items):
        alone = encoder.encode([item])
        assert alone.item_type[0] == together.item_type[place]
        assert alone.language[0] == together.language[place]
        np.testing.assert_array_equal(alone.genres[0], together.genres[place])
