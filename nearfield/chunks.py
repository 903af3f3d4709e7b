"""Cuts a batch into messages that stay below every limit of the server and of the client."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nearfield.server_info import ServerInfo
from nearfield.v1.embedding_pb2 import EmbedItemRequest, EmbedUserRequest
from nearfield.v1.recommendation_pb2 import FindSimilarItemsRequest, RecommendRequest
from nearfield.v1.types_pb2 import GROUPING_PER_TYPE, VECTOR_DTYPE_FLOAT16

FRAMING_BYTES = 8
"""What an element costs in a message beside itself: its tag and its length."""
MESSAGE_BYTES = 1024
"""What a message costs beside its elements: ids, generation, timing."""
ELEMENT_BYTES = 256
"""What an answer's element costs beside vector and hits: status, ids, provenance."""
HIT_BYTES = 96
"""What a hit usually costs; with a title and explanations, as much again for each of them.

An estimate. Where an answer turns out longer than the server or the client takes, its half is
asked for (see nearfield.batches)."""


@dataclass(frozen=True)
class Cost:
    """What one element takes of the limits."""

    request_bytes: int
    """Bytes in the request, exactly."""
    response_bytes: int
    """Bytes in the answer, estimated."""
    hits: int = 0
    """Hits that it asks for."""


@dataclass(frozen=True)
class Bounds:
    """What one message may hold."""

    elements: int
    """Most elements."""
    request_bytes: int
    """Longest request, in bytes."""
    response_bytes: int
    """Longest answer, in bytes."""
    hits: int
    """Most hits, summed over the elements."""

    @classmethod
    def of(cls, info: ServerInfo, max_message_bytes: int) -> "Bounds":
        """Take the lower of the server's limits and the client's."""
        limits = info.limits
        return cls(
            elements=max(1, limits.max_batch_elements),
            request_bytes=min(limits.max_request_bytes, max_message_bytes) - MESSAGE_BYTES,
            response_bytes=min(limits.max_response_bytes, max_message_bytes) - MESSAGE_BYTES,
            hits=limits.max_hits_per_call,
        )


def cut(costs: Sequence[Cost], bounds: Bounds) -> Iterator[range]:
    """Cut a batch into runs of elements, each as long as the bounds allow.

    An element that is beyond a bound by itself makes a run of one: what is wrong with it is the
    server's to say.
    """
    start, request_bytes, response_bytes, hits = 0, 0, 0, 0
    for place, cost in enumerate(costs):
        request_bytes += cost.request_bytes + FRAMING_BYTES
        response_bytes += cost.response_bytes + FRAMING_BYTES
        hits += cost.hits
        fits = (
            place - start < bounds.elements
            and request_bytes <= bounds.request_bytes
            and response_bytes <= bounds.response_bytes
            and hits <= bounds.hits
        )
        if not fits and place > start:
            yield range(start, place)
            start = place
            request_bytes = cost.request_bytes + FRAMING_BYTES
            response_bytes = cost.response_bytes + FRAMING_BYTES
            hits = cost.hits
    if costs:
        yield range(start, len(costs))


def vector_cost(request: EmbedItemRequest | EmbedUserRequest, info: ServerInfo) -> Cost:
    """Estimate what asking for a vector takes."""
    number_bytes = 2 if request.dtype == VECTOR_DTYPE_FLOAT16 else 4
    return Cost(
        request.ByteSize(), ELEMENT_BYTES + number_bytes * info.generation.vector_dimensions
    )


def recommend_cost(request: RecommendRequest, info: ServerInfo) -> Cost:
    """Estimate what asking for items for a person takes."""
    paths = info.limits.max_explanation_paths if request.explain else 0
    return _hits_cost(request, info, parts=1 + request.include_titles + paths)


def similar_cost(request: FindSimilarItemsRequest, info: ServerInfo) -> Cost:
    """Estimate what asking for similar items takes."""
    return _hits_cost(request, info, parts=1 + request.include_titles)


def _hits_cost(
    request: RecommendRequest | FindSimilarItemsRequest, info: ServerInfo, parts: int
) -> Cost:
    k = request.k if request.HasField("k") else info.limits.default_k
    types = len(request.filter.item_types) or len(info.generation.item_types)
    hits = max(k, 0) * (types if request.grouping == GROUPING_PER_TYPE else 1)
    answered = min(hits, info.generation.items)
    return Cost(request.ByteSize(), ELEMENT_BYTES + HIT_BYTES * parts * answered, hits)
