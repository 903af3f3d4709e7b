"""A data folder -> one validated Dataset, in the order and the types all later steps rely on."""

from pathlib import Path

import polars as pl

from tables.checked import CheckedTables, check_tables, refuse_nothing_left
from tables.dataset import Dataset
from tables.files import replace_file
from tables.order import in_order
from tables.problems import Problems
from tables.roles import SignalRoles

TOLD_OF_PEOPLE = ("country", "age_bucket", "gender")
USER_COLUMNS = ("user_id", *TOLD_OF_PEOPLE)


def read_dataset(
    folder: Path,
    *,
    strict: bool,
    as_of: int | None = None,
    now: int | None = None,
    rejected_path: Path | None = None,
    seed: int = 0,
) -> Dataset:
    """Read and check a data folder.

    Bad rows are counted, named with examples and left out; `rejected_path` receives them
    as parquet with a column `problem` (an empty file says that there were none). With
    `strict` any bad row refuses the folder, and nothing is written.

    `as_of` (unix seconds) hides every interaction after it, and every one without a time,
    which cannot be shown to precede it. `now` (the clock if None) is what the future begins
    after. `seed` decides ties.

    Raises:
        DataError: a file or a required column is missing, a column has a wrong type,
            dataset.toml is unclear, no sound item or interaction is left, or `strict`.
    """
    tables = check_tables(folder, now=now, strict=strict)
    visible, notices = _as_of(tables.interactions.sound, as_of)
    problems = tables.problems.merged(Problems(notices=notices))
    refuse_nothing_left(tables.items.sound, visible, problems)
    dataset = _assemble(tables, visible, problems, seed)
    if rejected_path is not None:
        rejected = pl.concat([part.rejected for part in tables.parts], how="diagonal")
        replace_file(rejected_path, rejected.write_parquet)
    return dataset


def _as_of(interactions: pl.DataFrame, as_of: int | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    if as_of is None:
        return interactions, ()
    untimed = interactions["timestamp"].null_count()
    visible = interactions.filter(pl.col("timestamp") <= as_of)
    later = len(interactions) - len(visible) - untimed
    return visible, (
        f"interactions: as of {as_of}, {later:,} later rows and {untimed:,} without a time hidden",
    )


def _assemble(
    tables: CheckedTables, interactions: pl.DataFrame, problems: Problems, seed: int
) -> Dataset:
    config = tables.config
    catalogue = _catalogue(tables.items.sound)
    people = _people(interactions, tables.users.sound if tables.users else None)
    rows = _with_rows(interactions, people["user_id"], catalogue["item_id"], config.roles)
    ordered = in_order(rows, people["user_id"], catalogue["item_id"], seed=seed)
    unknown = ordered["timestamp"].is_null() & ordered["seq"].is_null()
    report = problems.merged(Problems(notices=_unordered(int(unknown.sum()), len(ordered))))
    return Dataset(catalogue, people, ordered, config.roles, config.hold_out, report)


def _unordered(rows: int, of: int) -> tuple[str, ...]:
    """Say what becomes of rows that tell nothing of their order."""
    if rows == of:
        return (
            "interactions: no row has a time or a seq: a hash of the seed, the person and the item "
            "decides the whole order of everybody's rows",
        )
    if rows:
        return (f"interactions: {rows:,} rows with neither time nor seq count as oldest",)
    return ()


def _catalogue(items: pl.DataFrame) -> pl.DataFrame:
    def text(name: str) -> pl.Expr:
        return pl.col(name).fill_null("")

    genres = text("genres").str.split("|").list.eval(pl.element().str.strip_chars())
    return items.select(
        "item_id",
        "item_type",
        text("title"),
        text("description"),
        text("language"),
        genres.list.eval(pl.element().filter(pl.element() != "")).list.unique(maintain_order=True),
        text("creator"),
        "year",
    ).sort("item_type", "item_id")


def _people(interactions: pl.DataFrame, users: pl.DataFrame | None) -> pl.DataFrame:
    if users is None:
        users = pl.DataFrame(schema=dict.fromkeys(USER_COLUMNS, pl.String))
    ids = pl.concat([interactions.select("user_id"), users.select("user_id")])
    return (
        ids.unique()
        .sort("user_id")
        .join(users.select(USER_COLUMNS), on="user_id", how="left", maintain_order="left")
    )


def _with_rows(
    interactions: pl.DataFrame, user_ids: pl.Series, item_ids: pl.Series, roles: SignalRoles
) -> pl.DataFrame:
    """Put row numbers in place of ids, and the signals' roles beside them."""
    signal = pl.col("signal").fill_null("")
    role = (
        signal.replace_strict(dict(roles.roles), return_dtype=pl.String)
        if roles.roles
        else pl.lit("strong")
    )
    return (
        interactions.join(_numbered(user_ids, "user_row"), on="user_id")
        .join(_numbered(item_ids, "item_row"), on="item_id")
        .select(
            "user_row",
            "item_row",
            "timestamp",
            "seq",
            signal,
            role.alias("role"),
            pl.col("weight").fill_null(1.0).cast(pl.Float32),
            "split",
        )
    )


def _numbered(ids: pl.Series, name: str) -> pl.DataFrame:
    return pl.DataFrame([ids, pl.Series(name, range(len(ids)), dtype=pl.Int64)])
