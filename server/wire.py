"""Plain values to and from the messages of nearfield.v1."""

from typing import TypeAlias

import numpy as np
from google.protobuf.timestamp_pb2 import Timestamp
from numpy.typing import NDArray

from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from server.answers import (
    Degradation,
    Hit,
    HitList,
    ItemVector,
    Notice,
    NoticeKind,
    Path,
    Provenance,
    Recommendation,
    SimilarItems,
    UserVector,
)
from server.stopwatch import Times

Dtype: TypeAlias = types_pb2.VectorDtype.ValueType

STORED_AS: dict[Dtype, np.dtype[np.floating]] = {
    types_pb2.VECTOR_DTYPE_UNSPECIFIED: np.dtype("<f4"),
    types_pb2.VECTOR_DTYPE_FLOAT32: np.dtype("<f4"),
    types_pb2.VECTOR_DTYPE_FLOAT16: np.dtype("<f2"),
}

PROVENANCES: dict[Provenance, types_pb2.Provenance.ValueType] = {
    Provenance.GRAPH: types_pb2.PROVENANCE_GRAPH,
    Provenance.INDUCTIVE: types_pb2.PROVENANCE_INDUCTIVE,
    Provenance.TEXT_ONLY: types_pb2.PROVENANCE_TEXT_ONLY,
    Provenance.FALLBACK: types_pb2.PROVENANCE_FALLBACK,
}

WARNING_CODES: dict[NoticeKind, types_pb2.WarningCode.ValueType] = {
    NoticeKind.UNKNOWN_USER: types_pb2.WARNING_CODE_UNKNOWN_USER,
    NoticeKind.UNKNOWN_HISTORY_ITEMS: types_pb2.WARNING_CODE_UNKNOWN_HISTORY_ITEMS,
    NoticeKind.NO_HISTORY: types_pb2.WARNING_CODE_NO_HISTORY,
    NoticeKind.HISTORY_CUT: types_pb2.WARNING_CODE_HISTORY_CUT,
    NoticeKind.UNKNOWN_RELATED_ITEMS: types_pb2.WARNING_CODE_UNKNOWN_RELATED_ITEMS,
    NoticeKind.UNKNOWN_FILTER_ITEMS: types_pb2.WARNING_CODE_UNKNOWN_FILTER_ITEMS,
    NoticeKind.FEWER_THAN_K: types_pb2.WARNING_CODE_FEWER_THAN_K,
    NoticeKind.FALLBACK_FEATURIZER: types_pb2.WARNING_CODE_FALLBACK_FEATURIZER,
    NoticeKind.UNKNOWN_CATEGORY: types_pb2.WARNING_CODE_UNKNOWN_CATEGORY,
    NoticeKind.QUOTA_UNMET: types_pb2.WARNING_CODE_QUOTA_UNMET,
}


DEGRADATIONS: dict[Degradation, recommendation_pb2.Degradation.ValueType] = {
    Degradation.NONE: recommendation_pb2.DEGRADATION_UNSPECIFIED,
    Degradation.SMALLER_SEARCH: recommendation_pb2.DEGRADATION_SMALLER_SEARCH,
    Degradation.STORED: recommendation_pb2.DEGRADATION_STORED,
    Degradation.POPULAR: recommendation_pb2.DEGRADATION_POPULAR,
}


def read_numbers(message: types_pb2.Vector) -> NDArray[np.float32]:
    """Unpack a vector's numbers.

    Shapes:
        returns: (n,), as many numbers as the bytes hold.

    Raises:
        ValueError: the bytes are no whole number of numbers.
    """
    return np.frombuffer(message.data, dtype=STORED_AS[message.dtype]).astype(np.float32)


def write_vector(vector: NDArray[np.float32], dtype: Dtype, space_id: str) -> types_pb2.Vector:
    """Pack a vector.

    Shapes:
        vector: (D,).
    """
    return types_pb2.Vector(
        data=vector.astype(STORED_AS[dtype]).tobytes(),
        dtype=dtype or types_pb2.VECTOR_DTYPE_FLOAT32,
        dimensions=len(vector),
        space_id=space_id,
    )


def write_item_vector(item: ItemVector, dtype: Dtype, space_id: str) -> embedding_pb2.ItemEmbedding:
    """Write an item's vector."""
    return embedding_pb2.ItemEmbedding(
        vector=write_vector(item.vector, dtype, space_id),
        provenance=PROVENANCES[item.provenance],
        item_id=item.item_id,
        item_type=item.item_type,
        neighbours=item.neighbours,
        featurizer=item.featurizer,
        warnings=map(write_warning, item.notices),
    )


def write_user_vector(user: UserVector, dtype: Dtype, space_id: str) -> embedding_pb2.UserEmbedding:
    """Write a person's vector."""
    return embedding_pb2.UserEmbedding(
        vector=write_vector(user.vector, dtype, space_id),
        provenance=PROVENANCES[user.provenance],
        user_id=user.user_id,
        history_events=user.history_events,
        warnings=map(write_warning, user.notices),
    )


def write_recommendation(answer: Recommendation) -> recommendation_pb2.Recommendation:
    """Write the items for a person."""
    return recommendation_pb2.Recommendation(
        hits=_single(answer.lists),
        groups=_groups(answer.lists),
        provenance=PROVENANCES[answer.provenance],
        history_events=answer.history_events,
        warnings=map(write_warning, answer.notices),
        next_page_token=answer.next_page_token,
        seed=answer.seed,
        degradation=DEGRADATIONS[answer.degradation],
    )


def write_similar_items(answer: SimilarItems) -> recommendation_pb2.SimilarItems:
    """Write the items near an item or a vector."""
    return recommendation_pb2.SimilarItems(
        hits=_single(answer.lists),
        groups=_groups(answer.lists),
        provenance=(
            PROVENANCES[answer.provenance]
            if answer.provenance
            else types_pb2.PROVENANCE_UNSPECIFIED
        ),
        featurizer=answer.featurizer,
        warnings=map(write_warning, answer.notices),
        next_page_token=answer.next_page_token,
        seed=answer.seed,
    )


def write_warning(notice: Notice) -> types_pb2.Warning:
    """Write a notice."""
    return types_pb2.Warning(
        code=WARNING_CODES[notice.kind],
        field=notice.field,
        message=notice.message,
        values=notice.values,
    )


def write_timing(times: Times, total_s: float) -> types_pb2.Timing:
    """Write where the time of a call went."""
    return types_pb2.Timing(
        total_us=_microseconds(total_s),
        validation_us=_microseconds(times.validation),
        queue_us=_microseconds(times.queue),
        featurizer_us=_microseconds(times.featurizer),
        model_us=_microseconds(times.model),
        retrieval_us=_microseconds(times.retrieval),
    )


def write_moment(text: str) -> Timestamp:
    """Write a moment that is given in ISO 8601."""
    moment = Timestamp()
    moment.FromJsonString(text)
    return moment


def _microseconds(seconds: float) -> int:
    return round(seconds * 1e6)


def _single(lists: tuple[HitList, ...]) -> list[types_pb2.ItemHit]:
    return [_hit(hit) for each in lists if each.item_type is None for hit in each.hits]


def _groups(lists: tuple[HitList, ...]) -> list[types_pb2.TypeHits]:
    return [
        types_pb2.TypeHits(item_type=each.item_type, hits=map(_hit, each.hits))
        for each in lists
        if each.item_type is not None
    ]


def _hit(hit: Hit) -> types_pb2.ItemHit:
    return types_pb2.ItemHit(
        item_id=hit.item_id,
        item_type=hit.item_type,
        score=hit.score,
        provenance=PROVENANCES[hit.provenance],
        title=hit.title,
        explanation=map(_path, hit.paths),
        calibrated_score=hit.calibrated,
        propensity=hit.propensity,
    )


def _path(path: Path) -> types_pb2.ExplanationPath:
    return types_pb2.ExplanationPath(
        history_item_id=path.item_id,
        history_item_title=path.title,
        relation=path.relation,
        users=path.users,
        weight=path.weight,
    )
