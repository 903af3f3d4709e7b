"""What the server answers, before it goes on the wire: plain values."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from server.errors import shown

MOST_VALUES = 20
"""Values that a notice lists."""


class Provenance(Enum):
    """Where a vector or a hit comes from; the contract in protos/ defines each."""

    GRAPH = "graph"
    INDUCTIVE = "inductive"
    TEXT_ONLY = "text only"
    FALLBACK = "fallback"


class NoticeKind(Enum):
    """What was odd about a request that could be answered all the same."""

    UNKNOWN_USER = "unknown user"
    UNKNOWN_HISTORY_ITEMS = "unknown history items"
    NO_HISTORY = "no history"
    HISTORY_CUT = "history cut"
    UNKNOWN_RELATED_ITEMS = "unknown related items"
    UNKNOWN_FILTER_ITEMS = "unknown filter items"
    FEWER_THAN_K = "fewer than k"
    FALLBACK_FEATURIZER = "fallback featurizer"
    UNKNOWN_CATEGORY = "unknown category"
    QUOTA_UNMET = "quota unmet"


class Degradation(Enum):
    """What was left out of a recommendation for want of time; the contract defines each."""

    NONE = "none"
    SMALLER_SEARCH = "smaller search"
    STORED = "stored"
    POPULAR = "popular"


@dataclass(frozen=True)
class Notice:
    """One warning that goes with an answer."""

    kind: NoticeKind
    field: str
    message: str
    values: tuple[str, ...] = ()

    @classmethod
    def ignored(cls, kind: NoticeKind, field: str, ids: list[str]) -> "Notice":
        """Say that ids of a field are unknown and were ignored."""
        distinct = tuple(dict.fromkeys(ids))
        count = f"{len(distinct)} unknown id{'s were' if len(distinct) > 1 else ' was'} ignored"
        examples = ", ".join(shown(each) for each in distinct[:3])
        return cls(kind, field, f"{field}: {count}: {examples}", distinct[:MOST_VALUES])


@dataclass(frozen=True, eq=False)
class ItemVector:
    """An item's vector and how it was made."""

    vector: NDArray[np.float32]
    """(D,), of unit norm."""
    provenance: Provenance
    item_type: str
    neighbours: int
    """How many neighbours went into it; for a known item, how many the graph lists."""
    item_id: str = ""
    """Empty for a new item."""
    featurizer: str = ""
    """Who embedded the text of a new item."""
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, eq=False)
class UserVector:
    """A person's vector and how it was made."""

    vector: NDArray[np.float32]
    """(D,), of unit norm."""
    provenance: Provenance
    user_id: str
    history_events: int
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Path:
    """One step from a history item to a hit."""

    item_id: str
    title: str
    relation: str
    users: int
    """People behind the edge; 0 where content joins the two."""
    weight: float


@dataclass(frozen=True)
class Hit:
    """One item of an answer."""

    item_id: str
    item_type: str
    score: float
    provenance: Provenance
    title: str = ""
    paths: tuple[Path, ...] = ()
    calibrated: float | None = None
    """The chance that it is chosen next; None where nobody knows."""
    propensity: float | None = None
    """The chance that it came to its place; None where nothing was left to chance, or nobody
    knows."""


@dataclass(frozen=True)
class HitList:
    """Hits, best first; of one type, or of all where `item_type` is None."""

    item_type: str | None
    hits: tuple[Hit, ...]


@dataclass(frozen=True)
class Recommendation:
    """The items for a person."""

    lists: tuple[HitList, ...]
    provenance: Provenance
    history_events: int
    notices: tuple[Notice, ...]
    next_page_token: str = ""
    """Empty where there is no further page."""
    seed: int | None = None
    """What the exploration followed from; None where there was none."""
    degradation: Degradation = Degradation.NONE


@dataclass(frozen=True)
class SimilarItems:
    """The items near an item or a vector."""

    lists: tuple[HitList, ...]
    provenance: Provenance | None
    """None where the query was a bare vector."""
    featurizer: str = ""
    notices: tuple[Notice, ...] = ()
    next_page_token: str = ""
    seed: int | None = None
