"""The columns of the data contract: which file has which, and of what kind they are."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["id", "text", "integer", "number", "moment", "genres"]


@dataclass(frozen=True)
class Column:
    """One column of the contract."""

    name: str
    kind: Kind
    required: bool = False


ITEMS = (
    Column("item_id", "id", required=True),
    Column("item_type", "text", required=True),
    Column("title", "text", required=True),
    Column("description", "text"),
    Column("language", "text"),
    Column("genres", "genres"),
    Column("creator", "text"),
    Column("year", "integer"),
)
USERS = (
    Column("user_id", "id", required=True),
    Column("country", "text"),
    Column("age_bucket", "text"),
    Column("gender", "text"),
)
INTERACTIONS = (
    Column("user_id", "id", required=True),
    Column("item_id", "id", required=True),
    Column("timestamp", "moment"),
    Column("seq", "integer"),
    Column("signal", "text"),
    Column("weight", "number"),
    Column("split", "text"),
)
TABLES = ("items", "users", "interactions")
"""Names of the tables of a data folder, without a suffix."""
