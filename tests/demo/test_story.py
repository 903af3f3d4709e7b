from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from demo import story
from demo.story import RATINGS, Data, pick_person, three_more

TYPES = {"childrens": 6, "documentary": 9, "film": 60}


def item_ids(item_type: str) -> list[str]:
    return [f"{item_type} {number}" for number in range(TYPES[item_type])]


def ratings(user_id: str, counts: dict[str, int]) -> list[tuple[str, str, int, float]]:
    """The first so many items of each type, one a minute."""
    chosen = [item for item_type, count in counts.items() for item in item_ids(item_type)[:count]]
    return [(user_id, item, 60 * minute, 0.8) for minute, item in enumerate(chosen)]


@pytest.fixture
def data(tmp_path: Path) -> Data:
    items = [(item, kind, item.title()) for kind in TYPES for item in item_ids(kind)]
    people = {
        "only films": {"film": RATINGS},
        "a few": {"film": 10, "childrens": 4, "documentary": 4},
        "mixed": {"film": RATINGS - 10, "childrens": 5, "documentary": 5},
        "only documentaries": {"documentary": 9},
    }
    rows = [row for name, counts in people.items() for row in ratings(name, counts)]
    columns = ["user_id", "item_id", "timestamp", "weight"]
    tables = {
        "items": pl.DataFrame(items, schema=["item_id", "item_type", "title"], orient="row"),
        "users": pl.DataFrame({"user_id": list(people), "age_bucket": "25-34", "gender": "F"}),
        "interactions": pl.DataFrame(rows, schema=columns, orient="row"),
    }
    for name, table in tables.items():
        table.write_parquet(tmp_path / f"{name}.parquet")
    return Data.read(tmp_path)


def test_the_person_has_some_of_each_type_and_about_the_wanted_number(data: Data) -> None:
    person = pick_person(data)
    assert person.user_id == "mixed"
    assert (person.age_bucket, person.gender) == ("25-34", "F")


def test_the_history_is_complete_and_newest_first(data: Data) -> None:
    history = pick_person(data).history
    assert len(history) == RATINGS
    assert [seen.time for seen in history] == sorted((s.time for s in history), reverse=True)
    assert history[-1] == story.Seen("Film 0", "film", 4, datetime(1970, 1, 1, tzinfo=UTC))


def test_the_three_more_are_of_the_new_taste_and_not_yet_seen(data: Data) -> None:
    events = three_more(data, pick_person(data))
    assert [event.item_id for event in events] == [
        "documentary 5",
        "documentary 6",
        "documentary 7",
    ]


def test_the_new_item_is_told_by_its_content_alone() -> None:
    new = story.NEW_ITEM
    assert new.title
    assert new.description
    assert new.genres
    assert not new.related_item_ids
    assert not new.creator
