# ruff: noqa: N802 - methods have the names that the contract gives the RPCs
"""EmbeddingService: vectors of items and people."""

from functools import partial

from nearfield.v1 import embedding_pb2 as pb
from server.answering import Answering, status_of
from server.answers import ItemVector, UserVector
from server.calls import CURRENT
from server.dispatch import Dispatcher
from server.ready import ReadyAnswers
from server.stopwatch import Times
from server.surround import Answer, Later
from server.validation import RequestReader
from server.wire import Dtype, write_item_vector, write_user_vector


class EmbeddingService:
    """Answers EmbedItem, EmbedUser and their batches."""

    def __init__(
        self,
        answering: Answering,
        reader: RequestReader,
        dispatcher: Dispatcher,
        ready: ReadyAnswers | None,
        *,
        space_id: str,
    ) -> None:
        self._answering = answering
        self._reader = reader
        self._dispatcher = dispatcher
        self._ready = ready
        self._space_id = space_id

    async def EmbedItem(self, request: pb.EmbedItemRequest) -> pb.EmbedItemResponse:
        """Give an item's vector."""
        timed = await self._answering.one(
            request, self._reader.embed_item, self._dispatcher.embed_item
        )
        embedding = self._item(timed.answer, request.dtype)
        return pb.EmbedItemResponse(info=self._answering.info(timed.times), embedding=embedding)

    async def BatchEmbedItems(
        self, request: pb.BatchEmbedItemsRequest
    ) -> pb.BatchEmbedItemsResponse:
        """Give the vectors of many items."""
        self._reader.check_batch(len(request.requests))
        answers, times = await self._answering.many(
            request.requests, self._reader.embed_item, self._dispatcher.embed_item
        )
        results = [
            pb.EmbedItemResult(status=status_of(answer), embedding=self._item(answer, each.dtype))
            for answer, each in zip(answers, request.requests, strict=True)
        ]
        return pb.BatchEmbedItemsResponse(info=self._answering.info(times), results=results)

    def EmbedUser(self, request: pb.EmbedUserRequest) -> Answer | Later:
        """Give a person's vector."""
        ready = self._read(request)
        if ready is None:
            return partial(self._embed_user, request)
        CURRENT.get().read += 1
        embedding = self._user(ready, request.dtype)
        return pb.EmbedUserResponse(info=self._answering.info(Times()), embedding=embedding)

    async def BatchEmbedUsers(
        self, request: pb.BatchEmbedUsersRequest
    ) -> pb.BatchEmbedUsersResponse:
        """Give the vectors of many people."""
        self._reader.check_batch(len(request.requests))
        answers, times = await self._answering.many(
            request.requests, self._reader.embed_user, self._dispatcher.embed_user
        )
        results = [
            pb.EmbedUserResult(status=status_of(answer), embedding=self._user(answer, each.dtype))
            for answer, each in zip(answers, request.requests, strict=True)
        ]
        return pb.BatchEmbedUsersResponse(info=self._answering.info(times), results=results)

    def _read(self, request: pb.EmbedUserRequest) -> UserVector | None:
        """Look up a known user's vector; None where it has to be computed, or is asked wrongly."""
        if self._ready is None or not self._reader.is_dtype(request.dtype):
            return None
        return self._ready.embedding(request)

    async def _embed_user(self, request: pb.EmbedUserRequest) -> pb.EmbedUserResponse:
        timed = await self._answering.one(
            request, self._reader.embed_user, self._dispatcher.embed_user
        )
        embedding = self._user(timed.answer, request.dtype)
        return pb.EmbedUserResponse(info=self._answering.info(timed.times), embedding=embedding)

    def _item(self, answer: ItemVector | Exception, dtype: Dtype) -> pb.ItemEmbedding | None:
        if isinstance(answer, Exception):
            return None
        return write_item_vector(answer, dtype, self._space_id)

    def _user(self, answer: UserVector | Exception, dtype: Dtype) -> pb.UserEmbedding | None:
        if isinstance(answer, Exception):
            return None
        return write_user_vector(answer, dtype, self._space_id)
