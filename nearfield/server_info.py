"""What a server is, holds and allows. Frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from nearfield.results import AnswerInfo


@dataclass(frozen=True)
class Versions:
    """Versions of what runs in the server."""

    nearfield: str
    """Version of nearfield."""
    api: str
    """Version of the contract."""
    onnxruntime: str
    """Version of onnxruntime."""
    grpc: str
    """Version of gRPC."""
    python: str
    """Version of Python."""


@dataclass(frozen=True)
class GenerationInfo:
    """The generation that is served."""

    name: str
    """Its name: the hash of its content."""
    space_id: str
    """The vector space of its vectors."""
    format: int
    """Version of the folder's format."""
    create_time: datetime | None
    """When it was made, UTC."""
    as_of_time: datetime | None
    """The moment as of which it knows the interactions, UTC; None where the data had no times."""
    vector_dimensions: int
    """Dimensions of its vectors."""
    items: int
    """How many items it holds."""
    users: int
    """How many users it holds."""
    edges: int
    """How many edges its neighbour lists hold."""
    item_types: Mapping[str, int]
    """Its item types and how many items each has."""
    content_relations: tuple[str, ...]
    """Names of the content relations in its graph."""
    index_kind: str
    """Kind of its index, for example "exact"."""


@dataclass(frozen=True)
class FeaturizerInfo:
    """What makes text into vectors."""

    name: str
    """The featurizer that the generation was built with."""
    revision: str
    """Its revision."""
    dimensions: int
    """Dimensions of its vectors."""
    serving: str
    """What embeds new items now; empty where nothing does."""
    fallback: str
    """What steps in while that is away; empty for nothing."""


@dataclass(frozen=True)
class Limits:
    """Every limit of the server; field by field those of the contract."""

    max_request_bytes: int
    """Longest request message, in bytes."""
    max_response_bytes: int
    """Longest response message, in bytes."""
    max_batch_elements: int
    """Most elements of one message; the client cuts longer batches."""
    max_k: int
    """Largest k."""
    default_k: int
    """k where none is given."""
    max_hits_per_call: int
    """Most hits of one message; the client cuts batches that ask for more."""
    max_history_events: int
    """Most events of a history in a request."""
    max_model_history_events: int
    """Most events that go into a person's vector."""
    max_filter_ids: int
    """Most ids in each list of a filter."""
    max_related_items: int
    """Most related items of a new item."""
    max_neighbours_per_relation: int
    """Most neighbours of one kind that go into a new item's vector."""
    max_id_bytes: int
    """Longest id, in bytes of UTF-8."""
    max_title_chars: int
    """Longest title and creator, in Unicode code points."""
    max_description_chars: int
    """Longest description, in Unicode code points."""
    max_genres: int
    """Most genres of a new item."""
    max_explanation_paths: int
    """Most paths that explain a hit."""
    max_concurrent_calls: int
    """Most calls under way at once, those with new items not counted."""
    default_deadline_ms: int
    """Deadline of a call that comes without one, in milliseconds."""
    weak_signal_weight: float
    """Weight of a weak event that gives none, no unit."""
    max_new_item_calls: int
    """Most calls with new items under way at once."""


@dataclass(frozen=True)
class ServerInfo:
    """What the server is, holds and allows."""

    versions: Versions
    """Versions of what runs."""
    generation: GenerationInfo
    """The generation that is served."""
    featurizer: FeaturizerInfo
    """What makes text into vectors."""
    execution_provider: str
    """The onnxruntime execution provider that runs the models."""
    limits: Limits
    """Every limit."""
    info: AnswerInfo
    """About the answer."""
