import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from export.generation import GenerationInvalidError, IdTable
from export.generation.ids import MOST_REMEMBERED, Digest, digest64

ANY_TEXT = st.text(st.characters(), min_size=1)  # halves of surrogate pairs included
DISTINCT = st.lists(ANY_TEXT, unique=True, max_size=40)


def by_length(data: bytes) -> int:
    return len(data)


def constant(data: bytes) -> int:
    return 2**64 - 1


DIGESTS = (digest64, by_length, constant)


@pytest.mark.parametrize("digest", DIGESTS)
@given(ids=DISTINCT, others=DISTINCT)
def test_table_answers_as_a_dictionary_even_when_hashes_collide(
    digest: Digest, ids: list[str], others: list[str]
) -> None:
    table = IdTable.from_ids(ids, digest=digest)
    row_of = {each: row for row, each in enumerate(ids)}

    asked = [*others, *ids]

    assert table.lookup(asked).tolist() == [row_of.get(each, -1) for each in asked]


@given(ids=DISTINCT)
def test_rows_give_back_the_ids_they_were_made_of(ids: list[str]) -> None:
    table = IdTable.from_ids(ids)

    assert len(table) == len(ids)
    assert table.ids(np.arange(len(ids))) == ids
    assert [table.id(row) for row in range(len(ids))] == ids


@pytest.mark.parametrize("digest", DIGESTS)
@given(ids=DISTINCT.filter(bool), data=st.data())
def test_a_repeated_id_is_refused_and_named(
    digest: Digest, ids: list[str], data: st.DataObject
) -> None:
    twice = data.draw(st.sampled_from(ids))
    place = data.draw(st.integers(0, len(ids)))

    with pytest.raises(GenerationInvalidError) as refused:
        IdTable.from_ids([*ids[:place], twice, *ids[place:]], digest=digest)

    assert str(refused.value) == f"ids: {twice!r} occurs more than once"


def test_an_empty_id_is_refused_and_its_row_named() -> None:
    with pytest.raises(GenerationInvalidError, match="row 1 has an empty id"):
        IdTable.from_ids(["a", "", "b"])


def test_ids_are_compared_as_they_are_without_normalisation() -> None:
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    table = IdTable.from_ids([composed, decomposed, "A", "a", "a "])

    assert table.lookup([decomposed, composed, "a", "A", "a ", " a"]).tolist() == [
        1,
        0,
        3,
        2,
        4,
        -1,
    ]


@pytest.mark.parametrize("row", [-1, 2])
def test_a_row_outside_the_table_is_an_error_and_not_counted_from_the_end(row: int) -> None:
    table = IdTable.from_ids(["a", "b"])

    with pytest.raises(IndexError, match=f"row {row} is not among 2"):
        table.id(row)


def test_an_empty_table_knows_nobody() -> None:
    assert IdTable.from_ids([]).lookup(["a", ""]).tolist() == [-1, -1]


def test_the_hash_of_an_id_never_changes() -> None:
    assert digest64(b"item-7") == 18422611251604683990


def test_what_is_remembered_is_what_was_found() -> None:
    table = IdTable.from_ids(["a", "b", "c"])
    for ids in (["c", "x", "a"], ["a", "x", "c", "b"], ["b", "b", "x"]):
        expected = [{"a": 0, "b": 1, "c": 2}.get(each, -1) for each in ids]
        assert table.lookup(ids).tolist() == expected


def test_memory_for_ids_is_bounded() -> None:
    ids = [f"item-{number}" for number in range(MOST_REMEMBERED + 50)]
    table = IdTable.from_ids(ids)
    assert table.lookup(ids[:MOST_REMEMBERED]).tolist() == list(range(MOST_REMEMBERED))
    for start in (MOST_REMEMBERED, 0, 7):
        assert table.lookup(ids[start : start + 50]).tolist() == list(range(start, start + 50))
    assert len(table._remembered) <= MOST_REMEMBERED
