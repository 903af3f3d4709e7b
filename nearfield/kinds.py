"""The four kinds of batches: how each is sent, read and weighed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

from nearfield import responses
from nearfield.chunks import Cost, recommend_cost, similar_cost, vector_cost
from nearfield.errors import NearfieldError
from nearfield.results import ItemEmbedding, Recommendations, SimilarItems, UserEmbedding
from nearfield.rpcs import (
    BATCH_EMBED_ITEMS,
    BATCH_EMBED_USERS,
    BATCH_FIND_SIMILAR_ITEMS,
    BATCH_RECOMMEND,
    Rpc,
)
from nearfield.server_info import ServerInfo
from nearfield.v1.embedding_pb2 import (
    BatchEmbedItemsRequest,
    BatchEmbedItemsResponse,
    BatchEmbedUsersRequest,
    BatchEmbedUsersResponse,
    EmbedItemRequest,
    EmbedUserRequest,
)
from nearfield.v1.recommendation_pb2 import (
    BatchFindSimilarItemsRequest,
    BatchFindSimilarItemsResponse,
    BatchRecommendRequest,
    BatchRecommendResponse,
    FindSimilarItemsRequest,
    RecommendRequest,
)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
R = TypeVar("R")


@dataclass(frozen=True)
class Kind(Generic[Q, A, R]):
    """What one kind of batch is made of."""

    rpc: Rpc[A]
    """The call."""
    join: Callable[[Sequence[Q], str], Message]
    """From elements and a request id to the request."""
    outcomes: Callable[[A], list[R | NearfieldError]]
    """From the answer to an outcome for each element."""
    cost: Callable[[Q, ServerInfo], Cost]
    """What an element takes of the limits."""


ITEMS: Kind[EmbedItemRequest, BatchEmbedItemsResponse, ItemEmbedding] = Kind(
    BATCH_EMBED_ITEMS,
    lambda requests, call: BatchEmbedItemsRequest(requests=requests, request_id=call),
    responses.item_embeddings,
    vector_cost,
)
USERS: Kind[EmbedUserRequest, BatchEmbedUsersResponse, UserEmbedding] = Kind(
    BATCH_EMBED_USERS,
    lambda requests, call: BatchEmbedUsersRequest(requests=requests, request_id=call),
    responses.user_embeddings,
    vector_cost,
)
RECOMMENDATIONS: Kind[RecommendRequest, BatchRecommendResponse, Recommendations] = Kind(
    BATCH_RECOMMEND,
    lambda requests, call: BatchRecommendRequest(requests=requests, request_id=call),
    responses.many_recommendations,
    recommend_cost,
)
SIMILAR_ITEMS: Kind[FindSimilarItemsRequest, BatchFindSimilarItemsResponse, SimilarItems] = Kind(
    BATCH_FIND_SIMILAR_ITEMS,
    lambda requests, call: BatchFindSimilarItemsRequest(requests=requests, request_id=call),
    responses.many_similar_items,
    similar_cost,
)
