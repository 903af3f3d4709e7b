"""Two hundred real texts: books and films in the public domain, in many scripts, short and long."""

from functools import cache
from pathlib import Path

from features.schema import ItemRecord, compose_text

ANTHOLOGIES = 18
WORKS_EACH = 14
STRIDE = 9


@cache
def works() -> tuple[ItemRecord, ...]:
    """Read the works in `works.txt`: title, creator, genres and description in each line."""
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


@cache
def anthologies() -> tuple[ItemRecord, ...]:
    """Bind works into volumes that overlap, most with a blurb longer than encoders read."""
    volumes = []
    for number in range(ANTHOLOGIES):
        bound = works()[number * STRIDE : number * STRIDE + WORKS_EACH]
        blurb = " ".join(f"{work.title}, {work.creator}: {work.description}" for work in bound)
        volumes.append(
            ItemRecord(
                item_type="book",
                title=f"A Library of the World's Stories, volume {number + 1}",
                description=blurb,
                genres=("Anthology",),
            )
        )
    return tuple(volumes)


def real_texts() -> list[str]:
    """Return the 200 texts as featurizers get them."""
    return [compose_text(record) for record in (*works(), *anthologies())]
