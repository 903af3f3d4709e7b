"""The session in README.md is run, on rows of MovieLens-100K as the demo converts them."""

import io
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import nearfield
from demo.editions import EDITIONS, Raw, items_table, users_table
from nearfield.testing import FakeItem, FakeServer, FakeWorld, Method

README = Path(nearfield.__file__).parents[1] / "README.md"

# Rows as they lie in the wheel.
ITEMS = """\
item_id\tmovie_title\trelease_year\tclass
1\tToy Story\t1995\tAnimation Children's Comedy
71\tLion King, The\t1994\tAnimation Children's Musical
273\tHeat\t1995\tAction Crime Thriller
183\tAlien\t1979\tAction Horror Sci-Fi Thriller
119\tMaya Lin: A Strong Clear Vision\t1994\tDocumentary
141\t20,000 Leagues Under the Sea\t1954\tAdventure Children's Fantasy Sci-Fi
432\tFantasia\t1940\tAnimation Children's Musical
541\tMortal Kombat\t1995\tAction Adventure
"""
USERS = """\
user_id\tage\tgender
1\t24\tF
2\t30\tM
7\t57\tM
"""
RATINGS = """\
user_id\titem_id\trating\ttimestamp
7\t541\t4\t881250949
"""
HISTORIES = {"7": ("Mortal Kombat (1995)", "Heat (1995)")}


def table(rows: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(rows), separator="\t", quote_char=None, infer_schema=False)


@pytest.fixture(scope="module")
def items() -> pl.DataFrame:
    raw = Raw(table(ITEMS), table(USERS), table(RATINGS))
    return items_table(EDITIONS["100k"].unify(raw).items)


@pytest.fixture(scope="module")
def session(items: pl.DataFrame) -> dict[str, Any]:
    """The names that README's session leaves, and `requests`: what it sent by each method."""
    catalogue = items.select("item_id", "item_type", "title").iter_rows()
    world = FakeWorld(items=[FakeItem(*row) for row in catalogue], histories=HISTORIES)
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), flags=re.DOTALL)
    names: dict[str, Any] = {"__name__": "session"}
    with FakeServer(world) as server:
        aimed = example.replace("localhost:50051", server.target)
        exec(compile(aimed, README.name, "exec"), names)
        sent = {method: [call.request for call in server.calls(method)] for method in Method}
    return {**names, "requests": sent}


def test_every_call_is_answered_and_nothing_in_it_is_odd(session: dict[str, Any]) -> None:
    known, unknown = session["known"], session["unknown"]
    assert set(known.groups) == {"childrens", "documentary", "film"}
    assert known.provenance is nearfield.Provenance.GRAPH
    assert unknown.history_events == 2
    assert [hit.title for hit in session["near"].hits]
    for answer in (known, unknown, session["vector"], session["near"]):
        odd = {warning.code for warning in answer.warnings}
        assert odd <= {nearfield.WarningCode.FEWER_THAN_K}  # of eight items


def test_the_person_is_described_in_words_that_the_data_has(session: dict[str, Any]) -> None:
    users = users_table(table(USERS))
    _, request = session["requests"][Method.RECOMMEND]
    assert request.user.demographics.age_bucket in users["age_bucket"].to_list()
    assert request.user.demographics.gender in users["gender"].to_list()


def test_the_new_item_is_new_and_has_the_types_and_genres_of_the_data(
    session: dict[str, Any], items: pl.DataFrame
) -> None:
    (request,) = session["requests"][Method.EMBED_ITEM]
    new = request.new_item
    assert new.title not in items["title"].to_list()
    assert new.item_type in items["item_type"].to_list()
    assert set(new.genres) <= set(items["genres"].str.split("|").explode())
