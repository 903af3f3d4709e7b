import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.errors import EncoderError, UnknownIdError
from features.vocabulary import Vocabulary


def test_the_row_of_an_id_is_its_place() -> None:
    vocabulary = Vocabulary.from_ids(["b", "a", "c"])
    rows = vocabulary.rows(["c", "b", "b"], missing="error")
    assert rows.tolist() == [2, 0, 0]
    assert rows.dtype == np.int64
    assert len(vocabulary) == 3
    assert "a" in vocabulary
    assert "z" not in vocabulary


def test_unknown_ids_are_minus_one_where_asked_for() -> None:
    vocabulary = Vocabulary.from_ids(["a", "b"])
    assert vocabulary.rows(["z", "b", ""], missing="negative").tolist() == [-1, 1, -1]


def test_unknown_ids_are_refused_with_examples_and_their_number() -> None:
    vocabulary = Vocabulary.from_ids(["a", "b"])
    unknown = [f"u{number}" for number in range(7)]
    with pytest.raises(UnknownIdError, match=r"7 of 8 ids are unknown among 2: 'u0'.*'u4', …"):
        vocabulary.rows(["a", *unknown], missing="error")


def test_a_repeated_id_is_refused_by_name() -> None:
    with pytest.raises(EncoderError, match="1 of 3 repeat: 'a'"):
        Vocabulary.from_ids(["a", "b", "a"])


def test_no_ids_are_a_vocabulary_too() -> None:
    empty = Vocabulary.from_ids([])
    assert empty.rows([], missing="error").shape == (0,)
    assert empty.rows(["a"], missing="negative").tolist() == [-1]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), unique=True))
def test_json_brings_back_the_same_vocabulary(ids: list[str]) -> None:
    vocabulary = Vocabulary.from_ids(ids)
    again = Vocabulary.from_json(vocabulary.to_json())
    assert again == vocabulary
    assert again.rows(ids, missing="error").tolist() == list(range(len(ids)))


@pytest.mark.parametrize("text", ["{", "{}", '["a", 1]', '["a", "a"]', "null"])
def test_anything_but_a_json_list_of_distinct_strings_is_refused(text: str) -> None:
    with pytest.raises(EncoderError):
        Vocabulary.from_json(text)
