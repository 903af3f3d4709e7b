"""From the messages of the contract to results; what breaks the contract is refused here."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import numpy as np
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from nearfield.enums import Degradation, Provenance, VectorDtype, WarningCode, known
from nearfield.errors import ArgumentError, BadAnswerError, NearfieldError
from nearfield.results import (
    AnswerInfo,
    AnswerWarning,
    ExplanationPath,
    Hit,
    ItemEmbedding,
    Recommendations,
    SimilarItems,
    Timing,
    UserEmbedding,
)
from nearfield.server_info import FeaturizerInfo, GenerationInfo, Limits, ServerInfo, Versions
from nearfield.statuses import error_of_element
from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2, types_pb2

T = TypeVar("T")

NUMPY_DTYPE = {VectorDtype.FLOAT32.value: "<f4", VectorDtype.FLOAT16.value: "<f2"}


def answer_info(info: types_pb2.ResponseInfo) -> AnswerInfo:
    """Read what an answer says about itself."""
    timing = info.timing
    return AnswerInfo(
        generation=info.generation,
        space_id=info.space_id,
        request_id=info.request_id,
        timing=Timing(
            total_us=timing.total_us,
            validation_us=timing.validation_us,
            queue_us=timing.queue_us,
            featurizer_us=timing.featurizer_us,
            model_us=timing.model_us,
            retrieval_us=timing.retrieval_us,
        ),
    )


def item_embedding(
    holder: embedding_pb2.EmbedItemResponse | embedding_pb2.EmbedItemResult, info: AnswerInfo
) -> ItemEmbedding:
    """Read an item's vector."""
    _check_present(holder, "embedding")
    embedding = holder.embedding
    with _sound("embedding"):
        return ItemEmbedding(
            vector=_numbers(embedding.vector),
            space_id=embedding.vector.space_id,
            provenance=known(Provenance, embedding.provenance),
            warnings=_warnings(embedding.warnings),
            info=info,
            item_id=embedding.item_id,
            item_type=embedding.item_type,
            neighbours=embedding.neighbours,
            featurizer=embedding.featurizer,
        )


def user_embedding(
    holder: embedding_pb2.EmbedUserResponse | embedding_pb2.EmbedUserResult, info: AnswerInfo
) -> UserEmbedding:
    """Read a person's vector."""
    _check_present(holder, "embedding")
    embedding = holder.embedding
    with _sound("embedding"):
        return UserEmbedding(
            vector=_numbers(embedding.vector),
            space_id=embedding.vector.space_id,
            provenance=known(Provenance, embedding.provenance),
            warnings=_warnings(embedding.warnings),
            info=info,
            user_id=embedding.user_id,
            history_events=embedding.history_events,
        )


def recommendations(
    holder: recommendation_pb2.RecommendResponse | recommendation_pb2.RecommendResult,
    info: AnswerInfo,
) -> Recommendations:
    """Read the items for one person."""
    _check_present(holder, "recommendation")
    recommendation = holder.recommendation
    return Recommendations(
        hits=_hits(recommendation.hits),
        groups={group.item_type: _hits(group.hits) for group in recommendation.groups},
        provenance=known(Provenance, recommendation.provenance),
        warnings=_warnings(recommendation.warnings),
        info=info,
        next_page_token=recommendation.next_page_token,
        seed=recommendation.seed if recommendation.HasField("seed") else None,
        history_events=recommendation.history_events,
        degradation=known(Degradation, recommendation.degradation),
    )


def similar_items(
    holder: recommendation_pb2.FindSimilarItemsResponse | recommendation_pb2.FindSimilarItemsResult,
    info: AnswerInfo,
) -> SimilarItems:
    """Read the items near an item or a vector."""
    _check_present(holder, "similar_items")
    similar = holder.similar_items
    return SimilarItems(
        hits=_hits(similar.hits),
        groups={group.item_type: _hits(group.hits) for group in similar.groups},
        provenance=known(Provenance, similar.provenance),
        warnings=_warnings(similar.warnings),
        info=info,
        next_page_token=similar.next_page_token,
        seed=similar.seed if similar.HasField("seed") else None,
        featurizer=similar.featurizer,
    )


def server_info(answer: info_pb2.GetServerInfoResponse) -> ServerInfo:
    """Read what a server is, holds and allows."""
    for part in ("versions", "generation", "featurizer", "limits"):
        _check_present(answer, part)
    generation = answer.generation
    return ServerInfo(
        versions=Versions(**_plain(answer.versions, Versions)),
        generation=GenerationInfo(
            name=generation.name,
            space_id=generation.space_id,
            format=generation.format,
            create_time=_time(generation, "create_time", generation.create_time),
            as_of_time=_time(generation, "as_of_time", generation.as_of_time),
            vector_dimensions=generation.vector_dimensions,
            items=generation.items,
            users=generation.users,
            edges=generation.edges,
            item_types={each.item_type: each.items for each in generation.item_types},
            content_relations=tuple(generation.content_relations),
            index_kind=generation.index_kind,
        ),
        featurizer=FeaturizerInfo(**_plain(answer.featurizer, FeaturizerInfo)),
        execution_provider=answer.execution_provider,
        limits=Limits(**_plain(answer.limits, Limits)),
        info=answer_info(answer.info),
    )


def item_embeddings(
    answer: embedding_pb2.BatchEmbedItemsResponse,
) -> list[ItemEmbedding | NearfieldError]:
    """Read the outcomes of BatchEmbedItems."""
    info = answer_info(answer.info)
    return [
        _outcome(each.status, partial(item_embedding, each, info), info) for each in answer.results
    ]


def user_embeddings(
    answer: embedding_pb2.BatchEmbedUsersResponse,
) -> list[UserEmbedding | NearfieldError]:
    """Read the outcomes of BatchEmbedUsers."""
    info = answer_info(answer.info)
    return [
        _outcome(each.status, partial(user_embedding, each, info), info) for each in answer.results
    ]


def many_recommendations(
    answer: recommendation_pb2.BatchRecommendResponse,
) -> list[Recommendations | NearfieldError]:
    """Read the outcomes of BatchRecommend."""
    info = answer_info(answer.info)
    return [
        _outcome(each.status, partial(recommendations, each, info), info) for each in answer.results
    ]


def many_similar_items(
    answer: recommendation_pb2.BatchFindSimilarItemsResponse,
) -> list[SimilarItems | NearfieldError]:
    """Read the outcomes of BatchFindSimilarItems."""
    info = answer_info(answer.info)
    return [
        _outcome(each.status, partial(similar_items, each, info), info) for each in answer.results
    ]


def _outcome(status: Status, read: Callable[[], T], info: AnswerInfo) -> T | NearfieldError:
    if status.code:
        return error_of_element(status, info.request_id)
    try:
        return read()
    except BadAnswerError as error:
        return error


def _check_present(holder: Message, name: str) -> None:
    if not holder.HasField(name):
        raise BadAnswerError(f"{name}: expected it in {holder.DESCRIPTOR.name}, got nothing")


@contextmanager
def _sound(path: str) -> Iterator[None]:
    """Say where in the answer a vector is that is none."""
    try:
        yield
    except ArgumentError as error:
        raise BadAnswerError(f"{path}.{error}") from error


def _numbers(vector: types_pb2.Vector) -> NDArray[np.float32]:
    dtype = NUMPY_DTYPE.get(vector.dtype)
    if dtype is None:
        raise BadAnswerError(f"vector.dtype: expected FLOAT32 or FLOAT16, got {vector.dtype}")
    expected = vector.dimensions * np.dtype(dtype).itemsize
    if len(vector.data) != expected:
        raise BadAnswerError(
            f"vector.data: expected {expected} bytes for {vector.dimensions} dimensions, "
            f"got {len(vector.data)}"
        )
    return np.frombuffer(vector.data, dtype=dtype).astype(np.float32)


def _warnings(warnings: Iterable[types_pb2.Warning]) -> tuple[AnswerWarning, ...]:
    return tuple(
        AnswerWarning(known(WarningCode, each.code), each.field, each.message, tuple(each.values))
        for each in warnings
    )


def _hits(hits: Iterable[types_pb2.ItemHit]) -> tuple[Hit, ...]:
    return tuple(
        Hit(
            item_id=hit.item_id,
            item_type=hit.item_type,
            score=hit.score,
            provenance=known(Provenance, hit.provenance),
            title=hit.title,
            explanation=tuple(
                ExplanationPath(
                    history_item_id=path.history_item_id,
                    history_item_title=path.history_item_title,
                    relation=path.relation,
                    users=path.users,
                    weight=path.weight,
                )
                for path in hit.explanation
            ),
            calibrated_score=hit.calibrated_score if hit.HasField("calibrated_score") else None,
            propensity=hit.propensity if hit.HasField("propensity") else None,
        )
        for hit in hits
    )


def _plain(message: Message, kind: type[Versions | FeaturizerInfo | Limits]) -> dict[str, Any]:
    """Read a message whose fields are plain values and are named as those of `kind`."""
    return {each.name: getattr(message, each.name) for each in fields(kind)}


def _time(message: Message, name: str, time: Timestamp) -> datetime | None:
    return time.ToDatetime(tzinfo=UTC) if message.HasField(name) else None
