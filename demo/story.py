"""Who and what the demo shows: a person of the data set, a film it does not hold, three more."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from nearfield import Event, NewItem

NEW_ITEM = NewItem(
    item_type="childrens",
    title="My Neighbor Totoro",
    genres=("Animation", "Children's", "Fantasy"),
    description=(
        "Two girls move to the countryside and make friends with the spirits of the forest."
    ),
    year=1988,
)
"""No id, no interaction: title, genres, description and year. The year is one that the data set
has: a later one would count as its last (`features.years`), and films of the last year are seen
together by whoever sees what is new, whatever they are about."""

NEW_TASTE = "documentary"
"""The type of the three films that the person is said to have seen since."""

LEAST_OF_TYPE = 4
"""Whoever is shown has rated at least so many of each type, so that each list has a reason."""

RATINGS = 40
"""Whoever is shown has about so many ratings: enough to have a taste, few enough to move it."""


@dataclass(frozen=True)
class Seen:
    """One rating of the person."""

    title: str
    item_type: str
    stars: int
    time: datetime


@dataclass(frozen=True)
class Person:
    """A person of the data set."""

    user_id: str
    age_bucket: str
    gender: str
    history: tuple[Seen, ...]
    """Newest first."""


@dataclass(frozen=True)
class Data:
    """The tables of a data set folder."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame
    """With the item_type of each item."""

    @classmethod
    def read(cls, folder: Path) -> "Data":
        """Read what `demo.movielens` wrote."""
        items = pl.read_parquet(folder / "items.parquet")
        interactions = pl.read_parquet(folder / "interactions.parquet")
        return cls(
            items=items,
            users=pl.read_parquet(folder / "users.parquet"),
            interactions=interactions.join(
                items.select("item_id", "item_type", "title"), on="item_id", how="left"
            ),
        )


def pick_person(data: Data) -> Person:
    """Pick the person with about `RATINGS` ratings and some of each type; always the same one."""
    types = data.items["item_type"].unique().sort().to_list()
    of_type = [(pl.col("item_type") == name).sum().alias(name) for name in types]
    counts = data.interactions.group_by("user_id").agg(pl.len().alias("ratings"), *of_type)
    mixed = counts.filter(pl.min_horizontal(types) >= LEAST_OF_TYPE)
    distance = (pl.col("ratings").cast(pl.Int64) - RATINGS).abs()
    user_id = mixed.sort(distance, pl.col("user_id"))["user_id"][0]
    user = data.users.row(by_predicate=pl.col("user_id") == user_id, named=True)
    return Person(user_id, user["age_bucket"], user["gender"], _history(data, user_id))


def three_more(data: Data, person: Person) -> tuple[Event, ...]:
    """Pick the three films of `NEW_TASTE` with most ratings that the person has not rated."""
    seen = data.interactions.filter(pl.col("user_id") == person.user_id)["item_id"].implode()
    ratings = (
        data.interactions.filter(
            (pl.col("item_type") == NEW_TASTE) & ~pl.col("item_id").is_in(seen)
        )
        .group_by("item_id")
        .len()
        .sort("len", "item_id", descending=[True, False])
    )
    return tuple(Event(item_id=item_id) for item_id in ratings["item_id"].head(3))


def _history(data: Data, user_id: str) -> tuple[Seen, ...]:
    rated = data.interactions.filter(pl.col("user_id") == user_id)
    newest_first = rated.sort("timestamp", "item_id", descending=[True, False])
    return tuple(
        Seen(
            title=row["title"],
            item_type=row["item_type"],
            stars=round(row["weight"] * 5),
            time=datetime.fromtimestamp(row["timestamp"], tz=UTC),
        )
        for row in newest_first.iter_rows(named=True)
    )
