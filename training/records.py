"""Items and people of a data set as records."""

import polars as pl

from features.encode import UserRecord
from features.schema import ItemRecord


def item_records(items: pl.DataFrame) -> list[ItemRecord]:
    """Turn rows of the items table into records."""
    return [ItemRecord.from_row(row) for row in items.iter_rows(named=True)]


def user_records(users: pl.DataFrame) -> list[UserRecord]:
    """Turn rows of the users table into records."""
    columns = users.select("country", "age_bucket", "gender")
    return [UserRecord(*row) for row in columns.iter_rows()]
