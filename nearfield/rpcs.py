"""The calls of the contract: where each goes and what answers."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2

A_co = TypeVar("A_co", bound=Message, covariant=True)


@dataclass(frozen=True)
class Rpc(Generic[A_co]):
    """One call of the contract."""

    path: str
    """Where it goes, "/package.Service/Method"."""
    answer: type[A_co]
    """What answers."""


EMBED_ITEM = Rpc("/nearfield.v1.EmbeddingService/EmbedItem", embedding_pb2.EmbedItemResponse)
BATCH_EMBED_ITEMS = Rpc(
    "/nearfield.v1.EmbeddingService/BatchEmbedItems", embedding_pb2.BatchEmbedItemsResponse
)
EMBED_USER = Rpc("/nearfield.v1.EmbeddingService/EmbedUser", embedding_pb2.EmbedUserResponse)
BATCH_EMBED_USERS = Rpc(
    "/nearfield.v1.EmbeddingService/BatchEmbedUsers", embedding_pb2.BatchEmbedUsersResponse
)
RECOMMEND = Rpc(
    "/nearfield.v1.RecommendationService/Recommend", recommendation_pb2.RecommendResponse
)
BATCH_RECOMMEND = Rpc(
    "/nearfield.v1.RecommendationService/BatchRecommend", recommendation_pb2.BatchRecommendResponse
)
FIND_SIMILAR_ITEMS = Rpc(
    "/nearfield.v1.RecommendationService/FindSimilarItems",
    recommendation_pb2.FindSimilarItemsResponse,
)
BATCH_FIND_SIMILAR_ITEMS = Rpc(
    "/nearfield.v1.RecommendationService/BatchFindSimilarItems",
    recommendation_pb2.BatchFindSimilarItemsResponse,
)
GET_SERVER_INFO = Rpc("/nearfield.v1.InfoService/GetServerInfo", info_pb2.GetServerInfoResponse)

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
