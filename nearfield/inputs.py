"""What a caller says of people and items, and what is asked for. Frozen values.

Limits are the server's to check, so that there is one place that knows them; what cannot be
written into a request at all is refused here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from nearfield.enums import Grouping, Signal
from nearfield.errors import ArgumentError
from nearfield.vectors import SpaceVector


@dataclass(frozen=True)
class Event:
    """One event of a person's history."""

    item_id: str
    """The item. One that the server does not know is ignored with a warning."""
    signal: Signal = Signal.STRONG
    """How it counts."""
    weight: float | None = None
    """What it weighs against the person's other events, no unit; None for the signal's usual."""
    time: datetime | None = None
    """When it happened, with a time zone. All events of a history have a time or none has."""

    def __post_init__(self) -> None:
        if self.time is not None and self.time.utcoffset() is None:
            raise ArgumentError(
                f"time: expected a datetime with a time zone, got {self.time.isoformat()}"
            )


@dataclass(frozen=True)
class User:
    """A person: known by id, or described, or both; what is said here counts as newest."""

    user_id: str = ""
    """Id of a known user; empty for somebody without one."""
    history: Sequence[Event] = ()
    """Events that the server does not hold yet; without times, oldest first."""
    country: str = ""
    """As spelled in the training data; empty for as stored, else unknown."""
    age_bucket: str = ""
    """As spelled in the training data; empty for as stored, else unknown."""
    gender: str = ""
    """As spelled in the training data; empty for as stored, else unknown."""


@dataclass(frozen=True)
class NewItem:
    """An item that the server does not hold, by its raw fields; at least one text is needed."""

    item_type: str
    """One of the server's types."""
    title: str = ""
    """Empty for none."""
    description: str = ""
    """Empty for none. The text encoder reads its first few hundred tokens."""
    genres: Sequence[str] = ()
    """As spelled in the training data; others only count as text."""
    language: str = ""
    """As spelled in the training data; empty for unknown."""
    creator: str = ""
    """As spelled in the catalogue; known items of the same creator become neighbours."""
    year: int | None = None
    """Year of publication, a feature where the training data has years; None for unknown."""
    related_item_ids: Sequence[str] = ()
    """Known items that it is chosen together with, best first; they become its neighbours."""


_LISTS_OF_A_FILTER = (
    "item_types",
    "include",
    "exclude",
    "languages",
    "genres",
    "all_genres",
    "creators",
)


@dataclass(frozen=True)
class ItemFilter:
    """Which items may be in an answer."""

    item_types: Sequence[str] = ()
    """Only these types; empty for all."""
    include: Sequence[str] = ()
    """Only items with these ids; empty for the whole catalogue."""
    exclude: Sequence[str] = ()
    """None of the items with these ids; stronger than include."""
    languages: Sequence[str] = ()
    """Only items in one of these languages; empty for all."""
    genres: Sequence[str] = ()
    """Only items of at least one of these genres; empty for all."""
    all_genres: Sequence[str] = ()
    """Only items that have every one of these genres."""
    creators: Sequence[str] = ()
    """Only items of one of these creators; empty for all."""
    year_from: int | None = None
    """Only items of this year or later; with either bound none of unknown year."""
    year_to: int | None = None
    """Only items of this year or earlier."""

    def __post_init__(self) -> None:
        for name in _LISTS_OF_A_FILTER:
            if isinstance(getattr(self, name), str):
                raise ArgumentError(f"{name}: expected a list of strings, got one string")


ANY_ITEM = ItemFilter()
"""The whole catalogue."""


@dataclass(frozen=True)
class TypeQuota:
    """How many hits of one type a list may have, and has to have."""

    item_type: str
    """One of the server's types."""
    min: int = 0
    """At least so many, where as many exist."""
    max: int | None = None
    """At most so many; None for no bound."""


@dataclass(frozen=True)
class RecommendQuery:
    """Asks for items for one person; an element of `recommend_many`."""

    user: str | User = field(default_factory=User)
    """The person, or the id of one."""
    k: int | None = None
    """How many items, for each type where they are grouped; None for the server's usual number."""
    items: ItemFilter = field(default_factory=ItemFilter)
    """Which items may be in the answer."""
    drop_seen: bool = True
    """Leave out what the person chose or turned away from, in the history stored and given."""
    grouping: Grouping = Grouping.SINGLE_LIST
    """One list, or one for each type."""
    explained: bool = False
    """Give with each hit the paths that join it with the history."""
    titled: bool = False
    """Give with each hit its title."""
    quotas: Sequence[TypeQuota] = ()
    """Bounds on the hits of some types in the one list."""
    diversity: float = 0.0
    """How much unlikeness counts against the score, 0 to 1; 0 for the best as they come."""
    exploration: float = 0.0
    """How much is left to chance: a temperature in the unit of the score; 0 for nothing."""
    seed: int | None = None
    """What chance follows from; None for a new one, which the answer tells."""
    page_size: int = 0
    """How many of the k an answer brings; 0 for all, or as many as the page before."""
    page_token: str = ""
    """`next_page_token` of the page before, in a query that is otherwise the same."""


@dataclass(frozen=True)
class SimilarQuery:
    """Asks for items near an item or a vector; an element of `similar_items_many`."""

    query: str | NewItem | SpaceVector
    """The id of a known item, a new item, or a vector: an embedding, or a mixture of some."""
    k: int | None = None
    """How many items, for each type where they are grouped; None for the server's usual number."""
    items: ItemFilter = field(default_factory=ItemFilter)
    """Which items may be in the answer."""
    grouping: Grouping = Grouping.SINGLE_LIST
    """One list, or one for each type."""
    titled: bool = False
    """Give with each hit its title."""
    quotas: Sequence[TypeQuota] = ()
    """Bounds on the hits of some types in the one list."""
    diversity: float = 0.0
    """How much unlikeness counts against the score, 0 to 1; 0 for the best as they come."""
    exploration: float = 0.0
    """How much is left to chance: a temperature in the unit of the score; 0 for nothing."""
    seed: int | None = None
    """What chance follows from; None for a new one, which the answer tells."""
    page_size: int = 0
    """How many of the k an answer brings; 0 for all, or as many as the page before."""
    page_token: str = ""
    """`next_page_token` of the page before, in a query that is otherwise the same."""
