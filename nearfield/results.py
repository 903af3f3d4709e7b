"""What comes back. Frozen values; each says which generation answered and where the time went."""

from collections.abc import Mapping
from dataclasses import dataclass

from nearfield.enums import Degradation, Provenance, WarningCode
from nearfield.vectors import SpaceVector


@dataclass(frozen=True)
class Timing:
    """Where the time of a call went inside the server, in microseconds."""

    total_us: int
    """The whole call."""
    validation_us: int
    """Checking and reading the request."""
    queue_us: int
    """Waiting for a micro-batch."""
    featurizer_us: int
    """Text to vectors."""
    model_us: int
    """Graph network and towers."""
    retrieval_us: int
    """Search and choice of the hits."""


@dataclass(frozen=True)
class AnswerInfo:
    """What every answer says about itself. Elements of a batch share their message's."""

    generation: str
    """Name of the generation that answered: the hash of its content."""
    space_id: str
    """The vector space of that generation."""
    request_id: str
    """Id of the call, which finds it in the server's log."""
    timing: Timing
    """Where the time went."""


@dataclass(frozen=True)
class AnswerWarning:
    """What was odd about a request that was answered all the same."""

    code: WarningCode
    """Which kind, for programs."""
    field: str
    """Path of the field that it is about; empty for the whole request."""
    message: str
    """A sentence for people."""
    values: tuple[str, ...]
    """The ids or values that it is about, the first 20."""


@dataclass(frozen=True, eq=False)
class Embedding(SpaceVector):
    """A vector from the server, of unit L2 norm, and how it was made."""

    provenance: Provenance
    """Where the vector comes from."""
    warnings: tuple[AnswerWarning, ...]
    """What was odd about the request."""
    info: AnswerInfo
    """About the answer."""

    @property
    def generation(self) -> str:
        """Name of the generation that answered."""
        return self.info.generation


@dataclass(frozen=True, eq=False)
class ItemEmbedding(Embedding):
    """An item's vector."""

    item_id: str
    """Id of the item; empty for a new one."""
    item_type: str
    """Type of the item."""
    neighbours: int
    """How many neighbours went into the vector."""
    featurizer: str
    """What embedded the text; empty for a known item."""


@dataclass(frozen=True, eq=False)
class UserEmbedding(Embedding):
    """A person's vector."""

    user_id: str
    """The request's user id."""
    history_events: int
    """How many events went into the vector."""


@dataclass(frozen=True)
class ExplanationPath:
    """Because the person chose A, which many chose together with the hit."""

    history_item_id: str
    """The item of the history from which the path starts."""
    history_item_title: str
    """Its title; empty where there is none."""
    relation: str
    """What joins the two: "book-film" for the same people, or a content relation ("creator")."""
    users: int
    """How many people chose both; 0 for a content relation."""
    weight: float
    """Weight of the edge, corrected for popularity, no unit."""


@dataclass(frozen=True)
class Hit:
    """One item of an answer."""

    item_id: str
    """Id of the item."""
    item_type: str
    """Type of the item."""
    score: float
    """Higher is better. A recommendation's: what speaks for the item, without unit; compare within
    one answer. A similar item's: its cosine with the query. Where provenance is FALLBACK: how many
    people chose it."""
    provenance: Provenance
    """How the item's vector was made, or FALLBACK for one chosen by popularity."""
    title: str
    """Empty unless asked for."""
    explanation: tuple[ExplanationPath, ...]
    """Paths from the history to the item, best first; empty unless asked for."""
    calibrated_score: float | None = None
    """How likely the person chooses the item next, 0 to 1; compares across types and people. None
    where the server does not know, and for similar items."""
    propensity: float | None = None
    """How likely the item was to come to its place given those further up; None without
    exploration, and with diversity or quotas."""


@dataclass(frozen=True)
class _Hits:
    hits: tuple[Hit, ...]
    """The hits, best first; empty where they are grouped."""
    groups: Mapping[str, tuple[Hit, ...]]
    """The hits of each type, best first; empty unless they are grouped."""
    provenance: Provenance
    """How the query's vector was made."""
    warnings: tuple[AnswerWarning, ...]
    """What was odd about the request, and why there are fewer than k."""
    info: AnswerInfo
    """About the answer."""
    next_page_token: str
    """What brings the next page; empty where there is none."""
    seed: int | None
    """What the exploration followed from; None where there was none."""

    @property
    def generation(self) -> str:
        """Name of the generation that answered."""
        return self.info.generation

    @property
    def space_id(self) -> str:
        """The vector space of the generation that answered."""
        return self.info.space_id


@dataclass(frozen=True)
class Recommendations(_Hits):
    """Items for one person."""

    history_events: int
    """How many events of the history counted."""
    degradation: Degradation = Degradation.UNSPECIFIED
    """What the server left out for want of time."""


@dataclass(frozen=True)
class SimilarItems(_Hits):
    """Items near an item or a vector."""

    featurizer: str
    """What embedded the text of a new item; else empty."""
