"""MovieLens-100K as its wheel has it becomes what MovieLens-1M is."""

import zipfile
from pathlib import Path

import polars as pl
import pytest

from demo import movielens
from demo.editions import AGE_BUCKETS, EDITIONS, users_table

EDITION = EDITIONS["100k"]
ITEMS = """\
item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq
1\tToy Story\t1995\tAnimation Children's Comedy
246\tChasing Amy\t1997\tDrama Romance
267\tunkonwn\tunkonwn\tunknown
268\tChasing Amy\t1997\tDrama Romance
14\tPostino, Il\t1994\tDrama Romance
1412\tLand Before Time III\tV\tAnimation Children's
1373\tGood Morning\t1971\tunknown
"""
USERS = """\
user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token
1\t24\tM\ttechnician\t85711
2\t53\tF\tother\t94043
"""
RATINGS = """\
user_id:token\titem_id:token\trating:float\ttimestamp:float
1\t246\t3\t881250949
2\t268\t5\t881250950
2\t267\t5\t881250951
"""


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, pl.DataFrame]:
    wheel = tmp_path / EDITION.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, text in {"item": ITEMS, "user": USERS, "inter": RATINGS}.items():
            archive.writestr(f"{EDITION.members}.{member}", text)
    movielens.convert(EDITION, wheel, tmp_path)
    names = ("items", "users", "interactions")
    return {name: pl.read_parquet(tmp_path / f"{name}.parquet") for name in names}


def test_a_film_is_named_by_title_and_year(tables: dict[str, pl.DataFrame]) -> None:
    items = tables["items"]
    assert items["item_id"].to_list() == [
        "Toy Story (1995)",
        "Chasing Amy (1997)",
        "Postino, Il (1994)",
        "Land Before Time III",
        "Good Morning (1971)",
    ]
    assert items["title"].to_list()[2] == "Il Postino"


def test_what_is_unknown_is_a_gap(tables: dict[str, pl.DataFrame]) -> None:
    items = tables["items"]
    assert items["year"].to_list() == [1995, 1997, 1994, None, 1971]
    assert items["genres"].to_list()[-1] is None
    assert items["item_type"].to_list()[-1] == "film"


def test_a_film_with_two_numbers_is_one_and_the_nameless_is_none(
    tables: dict[str, pl.DataFrame],
) -> None:
    rated = tables["interactions"].select("user_id", "item_id").rows()
    assert rated == [("1", "Chasing Amy (1997)"), ("2", "Chasing Amy (1997)")]


@pytest.mark.parametrize(
    ("age", "bucket"),
    [("7", "under 18"), ("17", "under 18"), ("18", "18-24"), ("49", "45-49"), ("73", "56+")],
)
def test_an_age_falls_into_the_bucket_that_begins_at_or_before_it(age: str, bucket: str) -> None:
    raw = pl.DataFrame({"user_id": ["1"], "age": [age], "gender": ["F"]})
    assert users_table(raw)["age_bucket"].item() == bucket


def test_the_code_of_every_bucket_is_in_it() -> None:
    ages = [str(age) for age in AGE_BUCKETS]
    raw = pl.DataFrame({"user_id": ages, "age": ages, "gender": "F"})
    assert users_table(raw)["age_bucket"].to_list() == list(AGE_BUCKETS.values())
