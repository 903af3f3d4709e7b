"""What is asked of the server, once it has been checked: plain values, no wire."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.encode import UserRecord
from features.schema import ItemRecord
from retrieval.arrange import RANKED, Arrangement
from server.answers import Degradation, ItemVector
from server.pages import Page

NOTHING_KNOWN = UserRecord()


class Event(NamedTuple):
    """One event of an inline history."""

    item_id: str
    weight: float = 1.0
    """Against the other events; 0 marks what does not go into the vector."""
    seen: bool = True
    """Whether the item was chosen or turned away; what was only looked at may be shown again."""


@dataclass(frozen=True, eq=False)
class History:
    """The events of an inline history in columns, oldest first; see `Event`.

    Shapes:
        weights: (n,) float32. seen: (n,) bool.
    """

    item_ids: Sequence[str]
    weights: NDArray[np.float32]
    seen: NDArray[np.bool_]

    @classmethod
    def of(cls, events: Sequence[Event]) -> "History":
        """Put events in columns."""
        return cls(
            tuple(event.item_id for event in events),
            np.array([event.weight for event in events], dtype=np.float32),
            np.array([event.seen for event in events], dtype=np.bool_),
        )

    @classmethod
    def chosen(cls, item_ids: Sequence[str]) -> "History":
        """Take items that were chosen, each as much as the others."""
        count = len(item_ids)
        return cls(item_ids, np.ones(count, dtype=np.float32), np.ones(count, dtype=np.bool_))

    def __len__(self) -> int:
        return len(self.item_ids)


NO_EVENTS = History.chosen(())


@dataclass(frozen=True)
class Person:
    """A person: by id, by what the request says, or both."""

    user_id: str = ""
    """Empty for a person without an id."""
    history: History = NO_EVENTS
    demographics: UserRecord = NOTHING_KNOWN
    """What the request gives; the rest is as stored."""

    @property
    def described(self) -> bool:
        """Whether the request says anything but the id."""
        return len(self.history) > 0 or self.demographics != NOTHING_KNOWN


@dataclass(frozen=True)
class NewItem:
    """An item that the generation does not hold."""

    record: ItemRecord
    text: str
    """What the featurizer reads."""
    related: tuple[str, ...] = ()
    """Ids of its neighbours, best first."""


@dataclass(frozen=True)
class Traits:
    """What items are like; nothing where a field is empty or None."""

    languages: tuple[str, ...] = ()
    """One of these."""
    genres: tuple[str, ...] = ()
    """At least one of these."""
    all_genres: tuple[str, ...] = ()
    """Every one of these."""
    creators: tuple[str, ...] = ()
    """One of these."""
    year_from: int | None = None
    """This year or later."""
    year_to: int | None = None
    """This year or earlier."""


ANY_TRAITS = Traits()


@dataclass(frozen=True)
class ItemFilter:
    """Which items may be in an answer."""

    types: tuple[int, ...] | None = None
    """Type indices in the order asked for, each once; None for all."""
    include: tuple[str, ...] | None = None
    """The only ids; None for all."""
    exclude: tuple[str, ...] = ()
    traits: Traits = ANY_TRAITS


@dataclass(frozen=True)
class Shape:
    """How an answer with hits looks."""

    k: int
    filter: ItemFilter
    per_type: bool = False
    """A list for each type instead of one for all."""
    titles: bool = False
    arrangement: Arrangement = RANKED
    """How the hits are chosen among the best candidates."""
    page: Page | None = None
    """The part of the list that is asked for; None for all of it."""

    @property
    def seed(self) -> int | None:
        """What the exploration follows from; None where there is none."""
        exploration = self.arrangement.exploration
        return None if exploration is None else exploration.seed


@dataclass(frozen=True)
class RecommendTask:
    """Asks for items for a person."""

    person: Person
    shape: Shape
    drop_seen: bool = True
    explain: bool = False
    degradation: Degradation = Degradation.NONE
    """SMALLER_SEARCH leaves out what the graph says of the history."""


@dataclass(frozen=True, eq=False)
class SimilarRequest:
    """Asks for items like one, which may be new, or near a vector."""

    query: str | NewItem | NDArray[np.float32]
    """An item's id, a new item, or a vector (D,) of unit norm."""
    shape: Shape


@dataclass(frozen=True, eq=False)
class SimilarTask:
    """A SimilarRequest in which a new item has been embedded."""

    query: str | NDArray[np.float32] | ItemVector
    shape: Shape


ItemRequest = str | NewItem
"""Asks for an item's vector: a known one's by id, or a new one's."""


@dataclass(frozen=True, eq=False)
class EmbeddedText:
    """A new item whose text has its vector."""

    item: NewItem
    vector: NDArray[np.float32]
    """(D0,), of unit norm."""
    featurizer: str
    """Who embedded it."""
