"""The fake's hits: filtered, ranked, grouped."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import grpc
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from nearfield.enums import Reason
from nearfield.server_info import Limits
from nearfield.testing import embeddings
from nearfield.testing.refusals import invalid, refusal
from nearfield.testing.world import FakeItem, FakeWorld
from nearfield.v1 import recommendation_pb2, types_pb2

HitsRequest: TypeAlias = (
    recommendation_pb2.RecommendRequest | recommendation_pb2.FindSimilarItemsRequest
)


def recommend(
    world: FakeWorld, limits: Limits, request: recommendation_pb2.RecommendRequest
) -> recommendation_pb2.Recommendation:
    """Answer Recommend.

    Raises:
        StatusError: the contract refuses the request.
    """
    user = request.user
    history = embeddings.history_of(world, user)
    provenance = embeddings.user_provenance(world, user, history)
    dropped = request.drop_seen or not request.HasField("drop_seen")
    seen = embeddings.seen_by(world, user) if dropped else set()
    allowed = [item for item in _allowed(world, request) if item.item_id not in seen]
    chosen = world.recommendations.get(user.user_id)
    if chosen is not None:
        places = {item_id: place for place, item_id in enumerate(chosen)}
        scores = {
            item: 1.0 / (1 + places[item.item_id]) for item in allowed if item.item_id in places
        }
    elif provenance == types_pb2.PROVENANCE_FALLBACK:
        scores = {item: 1.0 / (1 + place) for place, item in enumerate(allowed)}
    else:
        scores = _scores(world, embeddings.user_vector(world, user, history), allowed)
    because = history[-1] if request.explain and history else None
    hits = {item: _hit(world, item, score, request, because) for item, score in scores.items()}
    answer = recommendation_pb2.Recommendation(
        provenance=provenance,
        history_events=len(history),
        warnings=embeddings.user_warnings(world, user, history),
    )
    _arrange(world, limits, request, hits, answer)
    return answer


def find_similar(
    world: FakeWorld, limits: Limits, request: recommendation_pb2.FindSimilarItemsRequest
) -> recommendation_pb2.SimilarItems:
    """Answer FindSimilarItems.

    Raises:
        StatusError: the contract refuses the request.
    """
    answer = recommendation_pb2.SimilarItems()
    match request.WhichOneof("query"):
        case "item_id":
            vector = world.vector(embeddings.known_item(world, limits, request.item_id).item_id)
            answer.provenance = types_pb2.PROVENANCE_GRAPH
        case "new_item":
            vector = embeddings.new_vector(world, limits, request.new_item)
            answer.provenance = embeddings.new_provenance(request.new_item)
            answer.featurizer = world.featurizer
        case "vector":
            vector = _numbers(world, request.vector)
        case _:
            raise invalid("query", "expected item_id, new_item or vector, got none of them")
    allowed = [item for item in _allowed(world, request) if item.item_id != request.item_id]
    scores = _scores(world, vector, allowed)
    hits = {item: _hit(world, item, score, request, None) for item, score in scores.items()}
    _arrange(world, limits, request, hits, answer)
    return answer


def hits_asked(world: FakeWorld, limits: Limits, request: Message) -> int:
    """Count the hits that a request may bring; none where it asks for vectors."""
    if not isinstance(request, HitsRequest):
        return 0
    k = request.k if request.HasField("k") else limits.default_k
    types = len(request.filter.item_types) or len(world.item_types)
    return k * (types if request.grouping == types_pb2.GROUPING_PER_TYPE else 1)


def _allowed(world: FakeWorld, request: HitsRequest) -> list[FakeItem]:
    types = set(request.filter.item_types)
    include, exclude = set(request.filter.include_item_ids), set(request.filter.exclude_item_ids)
    for unknown in types.difference(world.item_types):
        expected = ", ".join(world.item_types)
        raise invalid("filter.item_types", f"expected one of {expected}, got {unknown!r}")
    return [
        item
        for item in world.items
        if (not types or item.item_type in types)
        and (not include or item.item_id in include)
        and item.item_id not in exclude
    ]


def _scores(
    world: FakeWorld, vector: NDArray[np.float32], items: Sequence[FakeItem]
) -> dict[FakeItem, float]:
    return {item: float(world.vector(item.item_id) @ vector) for item in items}


def _hit(
    world: FakeWorld, item: FakeItem, score: float, request: HitsRequest, because: str | None
) -> types_pb2.ItemHit:
    hit = types_pb2.ItemHit(
        item_id=item.item_id,
        item_type=item.item_type,
        score=score,
        provenance=types_pb2.PROVENANCE_GRAPH,
        title=item.title if request.include_titles else "",
    )
    start = world.item(because) if because else None
    if start is not None:
        relation = "-".join(sorted((start.item_type, item.item_type)))
        hit.explanation.add(
            history_item_id=start.item_id,
            history_item_title=start.title,
            relation=relation,
            users=1,
            weight=1.0,
        )
    return hit


def _arrange(
    world: FakeWorld,
    limits: Limits,
    request: HitsRequest,
    hits: Mapping[FakeItem, types_pb2.ItemHit],
    answer: recommendation_pb2.Recommendation | recommendation_pb2.SimilarItems,
) -> None:
    """Put the k best hits into the answer, in one list or by type."""
    k = request.k if request.HasField("k") else limits.default_k
    if not 1 <= k <= limits.max_k:
        raise invalid("k", f"expected 1 to {limits.max_k}, got {k}")
    best = sorted(hits.values(), key=lambda hit: (-hit.score, hit.item_type, hit.item_id))
    if request.grouping == types_pb2.GROUPING_PER_TYPE:
        for kind in request.filter.item_types or world.item_types:
            of_kind = [hit for hit in best if hit.item_type == kind][:k]
            answer.groups.add(item_type=kind, hits=of_kind)
        short = any(len(group.hits) < k for group in answer.groups)
    else:
        answer.hits.extend(best[:k])
        short = len(answer.hits) < k
    if short:
        answer.warnings.add(
            code=types_pb2.WARNING_CODE_FEWER_THAN_K,
            message="no more items pass the filter",
        )


def _numbers(world: FakeWorld, vector: types_pb2.Vector) -> NDArray[np.float32]:
    if vector.space_id != world.space_id:
        raise refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            Reason.SPACE_MISMATCH,
            f"vector.space_id: expected {world.space_id!r}, got {vector.space_id!r}",
            {"space_id": vector.space_id, "expected_space_id": world.space_id},
        )
    half = vector.dtype == types_pb2.VECTOR_DTYPE_FLOAT16
    numbers = np.frombuffer(vector.data, dtype="<f2" if half else "<f4").astype(np.float64)
    if len(numbers) != world.dimensions or vector.dimensions != world.dimensions:
        expected = f"expected {world.dimensions} numbers"
        raise invalid("vector.data", f"{expected}, got {len(numbers)}")
    unit: NDArray[np.float32] = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return unit
