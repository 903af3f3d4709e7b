"""The awaiting client."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from nearfield.async_stream import stream
from nearfield.awaiting import AsyncWire
from nearfield.batch import Batch
from nearfield.connection import Connection
from nearfield.enums import Grouping, VectorDtype
from nearfield.errors import NearfieldError
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
from nearfield.options import Options, Retry, Timeouts
from nearfield.results import ItemEmbedding, Recommendations, SimilarItems, UserEmbedding
from nearfield.server_info import ServerInfo
from nearfield.steps import Steps
from nearfield.streams import SendChunk, check_stream
from nearfield.vectors import SpaceVector

E = TypeVar("E")
T = TypeVar("T")
R = TypeVar("R")
ItemT = TypeVar("ItemT", bound=str | NewItem)
UserT = TypeVar("UserT", bound=str | User)


class AsyncClient:
    """Calls a nearfield server and awaits the answer: Client for asyncio.

    One client serves any number of tasks of one event loop. In another it may go on once the first
    is closed, as after `asyncio.run`; before that its calls raise EventLoopError there. Cancelling
    a task cancels its call, in the server too.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        connection: Connection | None = None,
    ) -> None:
        """As Client: of one server, or of several that serve the same."""
        options = Options(timeouts or Timeouts(), retry or Retry(), connection or Connection())
        self._wire = AsyncWire(target, options)
        self._operations = Operations(options, self._wire.rota)

    async def close(self) -> None:
        """Close the connection; calls under way end with ClientClosedError."""
        await self._wire.close()

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

    async def wait_until_ready(self, timeout_s: float, *, request_id: str = "") -> None:
        """As Client.wait_until_ready."""
        await self._run(self._operations.wait_until_ready(timeout_s, request_id))

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

    def embed_items_stream(
        self,
        items: AsyncIterable[ItemT] | Iterable[ItemT],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> AsyncGenerator[tuple[ItemT, ItemEmbedding | NearfieldError], None]:
        """As Client.embed_items_stream; the source may be one to await.

        Leaving cancels what is under way; with `contextlib.aclosing` it does so at once.
        """
        send = self._operations.streams.items(dtype, timeout_s, request_id)
        return self._stream(items, send, in_flight, chunk)

    def embed_users_stream(
        self,
        users: AsyncIterable[UserT] | Iterable[UserT],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> AsyncGenerator[tuple[UserT, UserEmbedding | NearfieldError], None]:
        """As Client.embed_users_stream; the source may be one to await."""
        send = self._operations.streams.users(dtype, timeout_s, request_id)
        return self._stream(users, send, in_flight, chunk)

    def recommend_stream(
        self,
        queries: AsyncIterable[RecommendQuery] | Iterable[RecommendQuery],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> AsyncGenerator[tuple[RecommendQuery, Recommendations | NearfieldError], None]:
        """As Client.recommend_stream; the source may be one to await."""
        send = self._operations.streams.recommendations(timeout_s, request_id)
        return self._stream(queries, send, in_flight, chunk)

    def similar_items_stream(
        self,
        queries: AsyncIterable[SimilarQuery] | Iterable[SimilarQuery],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> AsyncGenerator[tuple[SimilarQuery, SimilarItems | NearfieldError], None]:
        """As Client.similar_items_stream; the source may be one to await."""
        send = self._operations.streams.similar_items(timeout_s, request_id)
        return self._stream(queries, send, in_flight, chunk)

    def _stream(
        self,
        elements: AsyncIterable[E] | Iterable[E],
        send: SendChunk[E, R],
        in_flight: int,
        chunk: int,
    ) -> AsyncGenerator[tuple[E, R | NearfieldError], None]:
        check_stream(elements, in_flight, chunk)
        return stream(elements, lambda part: self._run(send(part)), in_flight, chunk)

    async def _run(self, steps: Steps[T]) -> T:
        return await self._wire.run(steps)
