"""Texts of two hundred real works, old books and films, in many scripts, short and long.

Each line of `works.txt` is a work of its own: title, creator, genres and a description in our own
words, or the work's own first ones. A few works are there in two languages.
"""

from functools import cache
from pathlib import Path

from features.schema import ItemRecord, compose_text


@cache
def works() -> tuple[ItemRecord, ...]:
    """Read the works in `works.txt`."""
    lines = Path(__file__).with_name("works.txt").read_text(encoding="utf-8").splitlines()
    records = []
    for line in lines:
        title, creator, genres, description = line.split("|")
        records.append(
            ItemRecord(
                item_type="film" if "film" in genres else "book",
                title=title,
                description=description,
                genres=tuple(genres.split(", ")),
                creator=creator,
            )
        )
    return tuple(records)


def real_texts() -> list[str]:
    """Return the 200 texts as featurizers get them."""
    return [compose_text(record) for record in works()]
