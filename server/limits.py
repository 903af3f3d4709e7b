"""What one call may ask for; GetServerInfo publishes every one of these."""

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from features.schema import MAX_ID_BYTES

MIN_WEIGHT, MAX_WEIGHT = 1e-3, 1e3
"""Bounds of an event's weight, whoever gives it."""


class Limits(BaseModel):
    """Bounds on calls. A request beyond one is refused and told which.

    Larger values let a single caller hold the server, its memory or the event loop for longer.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    max_request_bytes: PositiveInt = 4 * 1024 * 1024
    """Longest request message, in bytes. gRPC itself refuses longer ones."""
    max_response_bytes: PositiveInt = 4 * 1024 * 1024
    """Longest response message, in bytes. Clients accept 4 MiB unless they are told otherwise."""
    max_batch_elements: PositiveInt = 256
    """Most elements of a batch."""
    max_k: PositiveInt = 1000
    """Largest k."""
    default_k: PositiveInt = Field(default=10, validate_default=True)
    """k of the requests that set none; at most max_k."""
    max_hits_per_call: PositiveInt = Field(default=25_600, validate_default=True)
    """Most hits that a batch may ask for, summed over its elements; bounds the response: a hundred
    for each of 256 people is 0.8 MB without titles. At least max_k."""
    max_history_events: PositiveInt = 1000
    """Most events of an inline history."""
    max_filter_ids: PositiveInt = 10_000
    """Most ids in each list of a filter."""
    max_related_items: PositiveInt = 100
    """Most related items of a new item."""
    max_neighbours_per_relation: PositiveInt = 30
    """Most neighbours of one kind that go into a new item's vector; the graph's own cap."""
    max_id_bytes: PositiveInt = MAX_ID_BYTES
    """Longest id, in bytes of UTF-8."""
    max_title_chars: PositiveInt = 1000
    """Longest title and creator, in Unicode code points."""
    max_description_chars: PositiveInt = 20_000
    """Longest description, in Unicode code points."""
    max_genres: PositiveInt = 50
    """Most genres of a new item."""
    max_explanation_paths: PositiveInt = 3
    """Most paths that explain a hit."""
    max_concurrent_calls: PositiveInt = 64
    """Most calls under way at once, those with new items not counted; further ones are refused at
    once, to be tried again."""
    max_new_item_calls: PositiveInt = 32
    """Most calls with new items under way at once, alone or in a batch. Their places are apart from
    those of max_concurrent_calls, because they wait for the featurizer: when it hangs, nothing else
    is refused. Larger lets more of them wait for a slow one."""
    default_deadline_ms: PositiveInt = 30_000
    """Deadline of a call that comes without one, in milliseconds."""
    weak_signal_weight: float = Field(default=1.0, ge=MIN_WEIGHT, le=MAX_WEIGHT)
    """Weight of a weak event that gives none, no unit; a strong one weighs 1. Training gives both 1
    where the data has no weights, and serving should agree with it."""

    @field_validator("default_k")
    @classmethod
    def _answerable(cls, default_k: int, info: ValidationInfo) -> int:
        max_k = info.data.get("max_k", default_k)  # absent where it was refused itself
        if default_k > max_k:
            raise PydanticCustomError(
                "beyond_max_k",
                "expected at most max_k, which is {max_k}, got {default_k}",
                {"max_k": max_k, "default_k": default_k},
            )
        return default_k

    @field_validator("max_hits_per_call")
    @classmethod
    def _room_for_one(cls, most: int, info: ValidationInfo) -> int:
        max_k = info.data.get("max_k", most)  # absent where it was refused itself
        if most < max_k:
            raise PydanticCustomError(
                "below_max_k",
                "expected at least max_k, which is {max_k}, got {most}",
                {"max_k": max_k, "most": most},
            )
        return most
