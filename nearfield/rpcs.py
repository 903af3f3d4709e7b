"""The calls of the contract: where each goes, what answers, whether it may be sent again."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2

A_co = TypeVar("A_co", bound=Message, covariant=True)

REPEATABLE = (MethodOptions.NO_SIDE_EFFECTS, MethodOptions.IDEMPOTENT)
"""The `idempotency_level` of methods that may be done twice. One that says nothing is a write."""


@dataclass(frozen=True)
class Rpc(Generic[A_co]):
    """One call of the contract."""

    path: str
    """Where it goes, "/package.Service/Method"."""
    answer: type[A_co]
    """What answers."""
    repeatable: bool
    """Whether it may be sent again when the server may have done it already."""

    @classmethod
    def of(cls, method: MethodDescriptor, answer: type[A_co]) -> "Rpc[A_co]":
        """Read a method of the contract."""
        return cls(
            f"/{method.containing_service.full_name}/{method.name}",
            answer,
            method.GetOptions().idempotency_level in REPEATABLE,
        )


_EMBEDDING = embedding_pb2.DESCRIPTOR.services_by_name["EmbeddingService"].methods_by_name
_RECOMMENDATION = recommendation_pb2.DESCRIPTOR.services_by_name[
    "RecommendationService"
].methods_by_name
_INFO = info_pb2.DESCRIPTOR.services_by_name["InfoService"].methods_by_name

EMBED_ITEM = Rpc.of(_EMBEDDING["EmbedItem"], embedding_pb2.EmbedItemResponse)
BATCH_EMBED_ITEMS = Rpc.of(_EMBEDDING["BatchEmbedItems"], embedding_pb2.BatchEmbedItemsResponse)
EMBED_USER = Rpc.of(_EMBEDDING["EmbedUser"], embedding_pb2.EmbedUserResponse)
BATCH_EMBED_USERS = Rpc.of(_EMBEDDING["BatchEmbedUsers"], embedding_pb2.BatchEmbedUsersResponse)
RECOMMEND = Rpc.of(_RECOMMENDATION["Recommend"], recommendation_pb2.RecommendResponse)
BATCH_RECOMMEND = Rpc.of(
    _RECOMMENDATION["BatchRecommend"], recommendation_pb2.BatchRecommendResponse
)
FIND_SIMILAR_ITEMS = Rpc.of(
    _RECOMMENDATION["FindSimilarItems"], recommendation_pb2.FindSimilarItemsResponse
)
BATCH_FIND_SIMILAR_ITEMS = Rpc.of(
    _RECOMMENDATION["BatchFindSimilarItems"], recommendation_pb2.BatchFindSimilarItemsResponse
)
GET_SERVER_INFO = Rpc.of(_INFO["GetServerInfo"], info_pb2.GetServerInfoResponse)

RPCS: tuple[Rpc[Message], ...] = (
    EMBED_ITEM,
    BATCH_EMBED_ITEMS,
    EMBED_USER,
    BATCH_EMBED_USERS,
    RECOMMEND,
    BATCH_RECOMMEND,
    FIND_SIMILAR_ITEMS,
    BATCH_FIND_SIMILAR_ITEMS,
    GET_SERVER_INFO,
)
"""Every call of the contract; a test compares them with the protos."""


def serialized(message: Message) -> bytes:
    """Write a message as bytes."""
    return message.SerializeToString()
