import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.generation import TextColumn


@given(texts=st.lists(st.text(st.characters())))
def test_texts_come_back_as_they_were(texts: list[str]) -> None:
    column = TextColumn.from_texts(texts)

    assert [*column] == texts
    assert len(column) == len(texts)


def test_a_missing_text_is_empty() -> None:
    assert [*TextColumn.from_texts(["a", None, "b"])] == ["a", "", "b"]


@pytest.mark.parametrize("row", [-1, 1])
def test_a_row_outside_the_column_is_an_error(row: int) -> None:
    with pytest.raises(IndexError, match=f"row {row} is not among 1"):
        TextColumn.from_texts(["a"])[row]
