"""From a request of any call to the fake's answer, single or batch."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from google.protobuf.message import Message
from google.rpc.status_pb2 import Status as RichStatus

from nearfield import rpcs
from nearfield.errors import Status, StatusError, error_of
from nearfield.server_info import Limits
from nearfield.testing.embeddings import embed_item, embed_user
from nearfield.testing.hits import find_similar, hits_asked, recommend
from nearfield.testing.refusals import invalid, written
from nearfield.testing.world import FakeWorld
from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2, types_pb2


class Method(StrEnum):
    """A call of the contract; the value is where it goes."""

    EMBED_ITEM = rpcs.EMBED_ITEM.path
    BATCH_EMBED_ITEMS = rpcs.BATCH_EMBED_ITEMS.path
    EMBED_USER = rpcs.EMBED_USER.path
    BATCH_EMBED_USERS = rpcs.BATCH_EMBED_USERS.path
    RECOMMEND = rpcs.RECOMMEND.path
    BATCH_RECOMMEND = rpcs.BATCH_RECOMMEND.path
    FIND_SIMILAR_ITEMS = rpcs.FIND_SIMILAR_ITEMS.path
    BATCH_FIND_SIMILAR_ITEMS = rpcs.BATCH_FIND_SIMILAR_ITEMS.path
    GET_SERVER_INFO = rpcs.GET_SERVER_INFO.path


@dataclass(frozen=True)
class _Kind:
    """One kind of question: how it is asked alone and in a batch."""

    one: Callable[[FakeWorld, Limits, Any], Message]
    """Answers one."""
    field: str
    """Where the answer goes in the response, and in a batch's result."""
    response: type[Message]
    """Response to one."""
    batch_response: type[Message]
    """Response to many."""


_ITEM = _Kind(
    embed_item,
    "embedding",
    embedding_pb2.EmbedItemResponse,
    embedding_pb2.BatchEmbedItemsResponse,
)
_USER = _Kind(
    embed_user,
    "embedding",
    embedding_pb2.EmbedUserResponse,
    embedding_pb2.BatchEmbedUsersResponse,
)
_RECOMMEND = _Kind(
    recommend,
    "recommendation",
    recommendation_pb2.RecommendResponse,
    recommendation_pb2.BatchRecommendResponse,
)
_SIMILAR = _Kind(
    find_similar,
    "similar_items",
    recommendation_pb2.FindSimilarItemsResponse,
    recommendation_pb2.BatchFindSimilarItemsResponse,
)

_KINDS: Mapping[type[Message], _Kind] = MappingProxyType(
    {
        embedding_pb2.EmbedItemRequest: _ITEM,
        embedding_pb2.BatchEmbedItemsRequest: _ITEM,
        embedding_pb2.EmbedUserRequest: _USER,
        embedding_pb2.BatchEmbedUsersRequest: _USER,
        recommendation_pb2.RecommendRequest: _RECOMMEND,
        recommendation_pb2.BatchRecommendRequest: _RECOMMEND,
        recommendation_pb2.FindSimilarItemsRequest: _SIMILAR,
        recommendation_pb2.BatchFindSimilarItemsRequest: _SIMILAR,
    }
)

REQUESTS: Mapping[Method, type[Message]] = MappingProxyType(
    dict(zip(Method, [*_KINDS, info_pb2.GetServerInfoRequest], strict=True))
)
"""What each call is asked with."""


class Dispatcher:
    """Answers any request from one world, under the given limits."""

    def __init__(self, world: FakeWorld, limits: Limits, id_faults: Mapping[str, Status]) -> None:
        self._world = world
        self._limits = limits
        self._id_faults = id_faults

    def answer(self, request: Any) -> Message:  # noqa: ANN401  a request of any call
        """Answer a request of any call.

        Raises:
            StatusError: the contract refuses the request.
        """
        info = types_pb2.ResponseInfo(
            generation=self._world.generation,
            space_id=self._world.space_id,
            request_id=request.request_id or "fake-request",
            timing=types_pb2.Timing(total_us=1),
        )
        if isinstance(request, info_pb2.GetServerInfoRequest):
            return self._server_info(info)
        kind = _KINDS[type(request)]
        if "requests" not in request.DESCRIPTOR.fields_by_name:
            return kind.response(**{"info": info, kind.field: self._one(kind, request)})
        self._check(request)
        results = [self._result(kind, each) for each in request.requests]
        return kind.batch_response(info=info, results=results)

    def _result(self, kind: _Kind, request: Any) -> dict[str, Message]:  # noqa: ANN401  as above
        try:
            return {"status": RichStatus(), kind.field: self._one(kind, request)}
        except StatusError as error:
            return {"status": written(error.status)}

    def _one(self, kind: _Kind, request: Any) -> Message:  # noqa: ANN401  as above
        about_user = kind in (_USER, _RECOMMEND)
        fault = self._id_faults.get(request.user.user_id if about_user else request.item_id)
        if fault is not None:
            raise error_of(fault)
        return kind.one(self._world, self._limits, request)

    def _check(self, batch: Any) -> None:  # noqa: ANN401  as above
        most = self._limits.max_batch_elements
        if not 1 <= len(batch.requests) <= most:
            raise invalid("requests", f"expected 1 to {most} elements, got {len(batch.requests)}")
        most = self._limits.max_hits_per_call
        asked = sum(hits_asked(self._world, self._limits, each) for each in batch.requests)
        if asked > most:
            raise invalid("requests", f"expected at most {most} hits in all, got {asked}")

    def _server_info(self, info: types_pb2.ResponseInfo) -> info_pb2.GetServerInfoResponse:
        world = self._world
        types = [item.item_type for item in world.items]
        return info_pb2.GetServerInfoResponse(
            info=info,
            versions=info_pb2.Versions(nearfield="fake", api="nearfield.v1"),
            generation=info_pb2.GenerationInfo(
                name=world.generation,
                space_id=world.space_id,
                format=1,
                vector_dimensions=world.dimensions,
                items=len(world.items),
                users=len(world.histories),
                item_types=[
                    info_pb2.ItemTypeInfo(item_type=kind, items=types.count(kind))
                    for kind in world.item_types
                ],
                index_kind="fake",
            ),
            featurizer=info_pb2.FeaturizerInfo(name=world.featurizer, serving=world.featurizer),
            execution_provider="fake",
            limits=info_pb2.Limits(**asdict(self._limits)),
        )
