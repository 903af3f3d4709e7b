"""The fake's hits: filtered, ranked, grouped."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace

import grpc
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from nearfield.enums import Reason
from nearfield.server_info import Limits
from nearfield.testing import embeddings
from nearfield.testing.filters import allowed, unknown_values
from nearfield.testing.lists import FakePage, HitsRequest, check_wishes, chosen, read_page
from nearfield.testing.refusals import invalid, refusal
from nearfield.testing.world import FakeItem, FakeWorld
from nearfield.v1 import recommendation_pb2, types_pb2


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
    admitted = [item for item in allowed(world, request.filter) if item.item_id not in seen]
    chosen = world.recommendations.get(user.user_id)
    if chosen is not None:
        places = {item_id: place for place, item_id in enumerate(chosen)}
        scores = {
            item: 1.0 / (1 + places[item.item_id]) for item in admitted if item.item_id in places
        }
    elif provenance == types_pb2.PROVENANCE_FALLBACK:
        scores = {item: 1.0 / (1 + place) for place, item in enumerate(admitted)}
    else:
        scores = _scores(world, embeddings.user_vector(world, user, history), admitted)
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
    admitted = [item for item in allowed(world, request.filter) if item.item_id != request.item_id]
    scores = _scores(world, vector, admitted)
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
    check_wishes(world, request, k, limits)
    best = sorted(hits.values(), key=lambda hit: (-hit.score, hit.item_type, hit.item_id))
    answer.warnings.extend(unknown_values(world, request.filter))
    page = read_page(world, request)
    seed = _seed(request, page)
    if seed is not None:
        answer.seed = seed
    if request.grouping == types_pb2.GROUPING_PER_TYPE:
        for kind in request.filter.item_types or world.item_types:
            of_kind = [hit for hit in best if hit.item_type == kind]
            answer.groups.add(item_type=kind, hits=chosen(world, request, of_kind, k, seed))
        short = any(len(group.hits) < k for group in answer.groups)
    else:
        whole = chosen(world, request, best, k, seed)
        short = len(whole) < k
        _warn_of_quotas(request, whole, answer)
        if page is not None:
            end = page.offset + page.size
            if end < len(whole):
                answer.next_page_token = replace(page, seed=seed).token(world, request)
            whole = whole[page.offset : end]
        answer.hits.extend(whole)
    if short:
        answer.warnings.add(
            code=types_pb2.WARNING_CODE_FEWER_THAN_K,
            message="no more items pass the filter",
        )


def _seed(request: HitsRequest, page: FakePage | None) -> int | None:
    """Tell what the exploration follows from; None where there is none."""
    if not request.exploration:
        return None
    if page is not None and page.seed is not None:
        return page.seed
    return request.seed if request.HasField("seed") else secrets.randbits(64)


def _warn_of_quotas(
    request: HitsRequest,
    whole: Sequence[types_pb2.ItemHit],
    answer: recommendation_pb2.Recommendation | recommendation_pb2.SimilarItems,
) -> None:
    for place, quota in enumerate(request.quotas):
        if sum(hit.item_type == quota.item_type for hit in whole) < quota.min:
            answer.warnings.add(
                code=types_pb2.WARNING_CODE_QUOTA_UNMET,
                field=f"quotas[{place}].min",
                message="no more items of the type pass the filter",
                values=[quota.item_type],
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
