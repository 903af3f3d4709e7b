from dataclasses import fields

import numpy as np
import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

import nearfield
from nearfield import (
    AnswerInfo,
    AnswerWarning,
    ExplanationPath,
    FeaturizerInfo,
    GenerationInfo,
    Hit,
    ItemEmbedding,
    Limits,
    Provenance,
    Recommendations,
    ServerInfo,
    SimilarItems,
    Timing,
    UserEmbedding,
    Versions,
    WarningCode,
    responses,
)
from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2, types_pb2

INFO = responses.answer_info(types_pb2.ResponseInfo(generation="g", space_id="s"))


def packed(numbers: list[float], dtype: str = "<f4", number: int = 1) -> types_pb2.Vector:
    return types_pb2.Vector(
        data=np.array(numbers, dtype).tobytes(),
        dtype=types_pb2.VectorDtype.values()[number],
        dimensions=len(numbers),
        space_id="s",
    )


def embedded(vector: types_pb2.Vector) -> embedding_pb2.EmbedItemResponse:
    return embedding_pb2.EmbedItemResponse(embedding=embedding_pb2.ItemEmbedding(vector=vector))


@pytest.mark.parametrize(("dtype", "number"), [("<f4", 1), ("<f2", 2)])
def test_numbers_are_little_endian_in_either_width(dtype: str, number: int) -> None:
    found = responses.item_embedding(embedded(packed([0.5, -2.0], dtype, number)), INFO)

    assert found.vector.dtype == np.dtype(np.float32)
    assert found.vector.tolist() == [0.5, -2.0]


@pytest.mark.parametrize(
    ("vector", "problem"),
    [
        (packed([1.0], number=0), "vector.dtype: expected FLOAT32 or FLOAT16, got 0"),
        (packed([1.0, 2.0], "<f2", 1), "vector.data: expected 8 bytes for 2 dimensions, got 4"),
        (packed([float("nan")]), "embedding.vector: expected finite"),
        (packed([]), "embedding.vector: expected shape"),
        (
            types_pb2.Vector(data=b"\0\0\x80?", dtype=types_pb2.VECTOR_DTYPE_FLOAT32, dimensions=1),
            "space",
        ),
    ],
    ids=["dtype", "length", "nan", "empty", "space"],
)
def test_vector_that_is_none_is_refused_by_field(vector: types_pb2.Vector, problem: str) -> None:
    with pytest.raises(nearfield.BadAnswerError, match=problem):
        responses.item_embedding(embedded(vector), INFO)


@pytest.mark.parametrize(
    "read",
    [
        lambda: responses.item_embedding(embedding_pb2.EmbedItemResponse(), INFO),
        lambda: responses.user_embedding(embedding_pb2.EmbedUserResult(), INFO),
        lambda: responses.recommendations(recommendation_pb2.RecommendResult(), INFO),
        lambda: responses.similar_items(recommendation_pb2.FindSimilarItemsResponse(), INFO),
        lambda: responses.server_info(info_pb2.GetServerInfoResponse()),
    ],
    ids=["item", "user", "recommend", "similar", "info"],
)
def test_answer_that_holds_nothing_is_refused(read: object) -> None:
    assert callable(read)
    with pytest.raises(nearfield.BadAnswerError, match="got nothing"):
        read()


def test_values_newer_than_this_client_do_not_break_it() -> None:
    hit = bytes([0x20, 77])  # field 4, provenance
    warning = bytes([0x08, 78])  # field 1, code
    recommendation = b"".join(
        [bytes([0x0A, len(hit)]), hit, bytes([0x18, 79]), bytes([0x2A, len(warning)]), warning]
    )
    message = recommendation_pb2.RecommendResult.FromString(
        bytes([0x12, len(recommendation)]) + recommendation
    )

    found = responses.recommendations(message, INFO)

    assert found.provenance is Provenance.UNSPECIFIED
    assert found.hits[0].provenance is Provenance.UNSPECIFIED
    assert [each.code for each in found.warnings] == [WarningCode.UNSPECIFIED]


def test_moments_are_utc() -> None:
    answer = info_pb2.GetServerInfoResponse(
        versions=info_pb2.Versions(),
        generation=info_pb2.GenerationInfo(create_time=Timestamp(seconds=86400)),
        featurizer=info_pb2.FeaturizerInfo(),
        limits=info_pb2.Limits(),
    )

    generation = responses.server_info(answer).generation

    assert generation.create_time is not None
    assert generation.create_time.isoformat() == "1970-01-02T00:00:00+00:00"
    assert generation.as_of_time is None


@pytest.mark.parametrize(
    ("ours", "contract", "added"),
    [
        (Timing, types_pb2.Timing, set()),
        (AnswerInfo, types_pb2.ResponseInfo, set()),
        (AnswerWarning, types_pb2.Warning, set()),
        (ExplanationPath, types_pb2.ExplanationPath, set()),
        (Hit, types_pb2.ItemHit, set()),
        (ItemEmbedding, embedding_pb2.ItemEmbedding, {"space_id", "info"}),
        (UserEmbedding, embedding_pb2.UserEmbedding, {"space_id", "info"}),
        (Recommendations, recommendation_pb2.Recommendation, {"info"}),
        (SimilarItems, recommendation_pb2.SimilarItems, {"info"}),
        (Versions, info_pb2.Versions, set()),
        (GenerationInfo, info_pb2.GenerationInfo, set()),
        (FeaturizerInfo, info_pb2.FeaturizerInfo, set()),
        (Limits, info_pb2.Limits, set()),
        (ServerInfo, info_pb2.GetServerInfoResponse, set()),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_field_of_an_answer_is_left_out(
    ours: type[ServerInfo], contract: type[Message], added: set[str]
) -> None:
    named = set(contract.DESCRIPTOR.fields_by_name)

    assert {each.name for each in fields(ours)} == named | added
