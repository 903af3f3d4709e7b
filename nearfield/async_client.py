"""The awaiting client."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from nearfield.batch import Batch
from nearfield.channel import arguments
from nearfield.enums import Grouping, VectorDtype
from nearfield.errors import ClientClosedError, NearfieldError
from nearfield.inputs import (
    ANY_ITEM,
    ItemFilter,
    NewItem,
    RecommendQuery,
    SimilarQuery,
    TypeQuota,
    User,
)
from nearfield.operations import Operations
from nearfield.options import Connection, Options, Retry, Timeouts
from nearfield.results import ItemEmbedding, Recommendations, SimilarItems, UserEmbedding
from nearfield.rpcs import RPCS, serialized
from nearfield.server_info import ServerInfo
from nearfield.statuses import error_of_call
from nearfield.steps import Call, Pause, Steps
from nearfield.vectors import SpaceVector

T = TypeVar("T")


class AsyncClient:
    """Calls a nearfield server and awaits the answer: Client for asyncio.

    One client serves one address and any number of tasks of one event loop, the one in which its
    first call is made. Cancelling a task cancels its call, in the server too.
    """

    def __init__(
        self,
        target: str,
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Make a client of the server at `target`, for example "localhost:50051"."""
        self._target = target
        self._options = Options(
            timeouts or Timeouts(), retry or Retry(), connection or Connection()
        )
        self._operations = Operations(self._options)
        self._metadata = tuple(self._options.connection.metadata)
        self._closed = asyncio.Event()
        self._channel: grpc.aio.Channel | None = None
        self._methods: dict[str, grpc.aio.UnaryUnaryMultiCallable[Message, Message]] = {}

    async def close(self) -> None:
        """Close the connection; calls under way end with ClientClosedError."""
        self._closed.set()
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def server_info(
        self, *, timeout_s: float | None = None, request_id: str = ""
    ) -> ServerInfo:
        """As Client.server_info."""
        return await self._run(self._operations.server_info(timeout_s, request_id))

    async def embed_item(
        self,
        item: str | NewItem,
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> ItemEmbedding:
        """As Client.embed_item."""
        return await self._run(self._operations.embed_item(item, dtype, timeout_s, request_id))

    async def embed_items(
        self,
        items: Sequence[str | NewItem],
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[ItemEmbedding]:
        """As Client.embed_items."""
        return await self._run(self._operations.embed_items(items, dtype, timeout_s, request_id))

    async def embed_user(
        self,
        user: str | User,
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> UserEmbedding:
        """As Client.embed_user."""
        return await self._run(self._operations.embed_user(user, dtype, timeout_s, request_id))

    async def embed_users(
        self,
        users: Sequence[str | User],
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[UserEmbedding]:
        """As Client.embed_users."""
        return await self._run(self._operations.embed_users(users, dtype, timeout_s, request_id))

    async def recommend(
        self,
        user: str | User,
        *,
        k: int | None = None,
        items: ItemFilter = ANY_ITEM,
        drop_seen: bool = True,
        grouping: Grouping = Grouping.SINGLE_LIST,
        explained: bool = False,
        titled: bool = False,
        quotas: Sequence[TypeQuota] = (),
        diversity: float = 0.0,
        exploration: float = 0.0,
        seed: int | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Recommendations:
        """As Client.recommend."""
        return await self._run(
            self._operations.recommend(
                RecommendQuery(
                    user,
                    k,
                    items,
                    drop_seen,
                    grouping,
                    explained,
                    titled,
                    quotas,
                    diversity,
                    exploration,
                    seed,
                    page_size,
                    page_token,
                ),
                timeout_s,
                request_id,
            )
        )

    async def recommend_many(
        self,
        queries: Sequence[RecommendQuery],
        *,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[Recommendations]:
        """As Client.recommend_many."""
        return await self._run(self._operations.recommend_many(queries, timeout_s, request_id))

    async def similar_items(
        self,
        query: str | NewItem | SpaceVector,
        *,
        k: int | None = None,
        items: ItemFilter = ANY_ITEM,
        grouping: Grouping = Grouping.SINGLE_LIST,
        titled: bool = False,
        quotas: Sequence[TypeQuota] = (),
        diversity: float = 0.0,
        exploration: float = 0.0,
        seed: int | None = None,
        page_size: int = 0,
        page_token: str = "",
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> SimilarItems:
        """As Client.similar_items."""
        return await self._run(
            self._operations.similar_items(
                SimilarQuery(
                    query,
                    k,
                    items,
                    grouping,
                    titled,
                    quotas,
                    diversity,
                    exploration,
                    seed,
                    page_size,
                    page_token,
                ),
                timeout_s,
                request_id,
            )
        )

    async def similar_items_many(
        self,
        queries: Sequence[SimilarQuery],
        *,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[SimilarItems]:
        """As Client.similar_items_many."""
        return await self._run(self._operations.similar_items_many(queries, timeout_s, request_id))

    async def _run(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation, one after the other, and give its result."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._perform(step)
                except NearfieldError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, step: Call | Pause) -> Message | None:
        if self._closed.is_set():
            raise ClientClosedError("the client is closed")
        if isinstance(step, Pause):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), step.seconds)
            return None
        try:
            return await self._method(step.rpc.path)(
                step.request, timeout=step.timeout_s, metadata=self._metadata
            )
        except asyncio.CancelledError as error:
            if self._closed.is_set() and not _cancelled_by_caller():
                raise ClientClosedError("the client was closed during the call") from error
            raise
        except grpc.aio.UsageError as error:
            raise ClientClosedError("the client was closed during the call") from error
        except grpc.aio.AioRpcError as error:
            raise error_of_call(
                error.code(),
                error.details() or "",
                error.trailing_metadata() or (),
                step.request_id,
            ) from error

    def _method(self, path: str) -> grpc.aio.UnaryUnaryMultiCallable[Message, Message]:
        """Connect where that was not done yet: a channel belongs to the loop that is running."""
        if self._channel is None:
            self._channel = _channel(self._target, self._options)
            self._methods = {
                rpc.path: self._channel.unary_unary(
                    rpc.path,
                    request_serializer=serialized,
                    response_deserializer=rpc.answer.FromString,
                )
                for rpc in RPCS
            }
        return self._methods[path]


def _cancelled_by_caller() -> bool:
    """Tell a task that was cancelled from a call that the channel's closing cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _channel(target: str, options: Options) -> grpc.aio.Channel:
    connection = options.connection
    channel_arguments = arguments(connection, options.retry)
    if connection.credentials is None:
        return grpc.aio.insecure_channel(target, channel_arguments)
    return grpc.aio.secure_channel(target, connection.credentials, channel_arguments)
