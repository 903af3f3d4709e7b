"""The blocking client."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc
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


class Client:
    """Calls a nearfield server and blocks until the answer is there.

    One client serves one address and any number of threads: make one and keep it. Every call has a
    timeout and is tried again where that is safe; `timeout_s` and `request_id` can be given with
    each call. Nothing is sent before the first call.
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
        options = Options(timeouts or Timeouts(), retry or Retry(), connection or Connection())
        self._operations = Operations(options)
        self._metadata = tuple(options.connection.metadata)
        self._closed = threading.Event()
        self._channel = _channel(target, options)
        self._methods = {
            rpc.path: self._channel.unary_unary(
                rpc.path,
                request_serializer=serialized,
                response_deserializer=rpc.answer.FromString,
            )
            for rpc in RPCS
        }

    def close(self) -> None:
        """Close the connection; calls under way end with ClientClosedError."""
        self._closed.set()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def server_info(self, *, timeout_s: float | None = None, request_id: str = "") -> ServerInfo:
        """Ask what the server is, holds and allows; the limits are remembered for batches.

        Raises:
            NearfieldError: the call failed; see nearfield.errors for the tree.
        """
        return self._run(self._operations.server_info(timeout_s, request_id))

    def embed_item(
        self,
        item: str | NewItem,
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> ItemEmbedding:
        """Give an item's vector: of a known one by its id, of a new one by its raw fields.

        `dtype` is how numbers travel; the result is float32 either way.

        Raises:
            NotFoundError: the server does not know the item.
            UnavailableError: the text of a new item cannot be embedded now.
            NearfieldError: the call failed; see nearfield.errors for the tree.
        """
        return self._run(self._operations.embed_item(item, dtype, timeout_s, request_id))

    def embed_items(
        self,
        items: Sequence[str | NewItem],
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[ItemEmbedding]:
        """Give the vectors of any number of items, cut into messages that the server takes.

        Nothing that happens to an element or a message is raised: it is that element's outcome.
        `timeout_s` bounds the whole; without it each message has `Timeouts.chunk_s`.
        """
        return self._run(self._operations.embed_items(items, dtype, timeout_s, request_id))

    def embed_user(
        self,
        user: str | User,
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> UserEmbedding:
        """Give a person's vector: by id, by history and demographics, or by both.

        Raises:
            NotFoundError: the server does not know the id, and nothing else was given.
            NearfieldError: the call failed; see nearfield.errors for the tree.
        """
        return self._run(self._operations.embed_user(user, dtype, timeout_s, request_id))

    def embed_users(
        self,
        users: Sequence[str | User],
        *,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[UserEmbedding]:
        """Give the vectors of any number of people; as `embed_items`."""
        return self._run(self._operations.embed_users(users, dtype, timeout_s, request_id))

    def recommend(
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
        """Give the k items that suit a person best; for somebody unknown, the most popular.

        The arguments are those of RecommendQuery, where they are explained.

        Raises:
            NearfieldError: the call failed; see nearfield.errors for the tree.
        """
        return self._run(
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

    def recommend_many(
        self,
        queries: Sequence[RecommendQuery],
        *,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[Recommendations]:
        """Give items for any number of people, each by a query of their own; as `embed_items`."""
        return self._run(self._operations.recommend_many(queries, timeout_s, request_id))

    def similar_items(
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
        """Give the k known items nearest to a known item, a new item or a vector.

        The arguments are those of SimilarQuery, where they are explained.

        Raises:
            NotFoundError: the server does not know the item.
            SpaceMismatchError: the vector is of another space than the server's.
            NearfieldError: the call failed; see nearfield.errors for the tree.
        """
        return self._run(
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

    def similar_items_many(
        self,
        queries: Sequence[SimilarQuery],
        *,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Batch[SimilarItems]:
        """Give the items nearest to each of any number of queries; as `embed_items`."""
        return self._run(self._operations.similar_items_many(queries, timeout_s, request_id))

    def _run(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation, one after the other, and give its result."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._perform(step)
                except NearfieldError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, step: Call | Pause) -> Message | None:
        if self._closed.is_set():
            raise ClientClosedError("the client is closed")
        if isinstance(step, Pause):
            self._closed.wait(step.seconds)
            return None
        try:
            return self._methods[step.rpc.path](
                step.request, timeout=step.timeout_s, metadata=self._metadata
            )
        except (grpc.RpcError, ValueError) as error:
            if self._closed.is_set():
                raise ClientClosedError("the client was closed during the call") from error
            if not isinstance(error, grpc.Call):
                raise
            raise error_of_call(
                error.code(), error.details(), error.trailing_metadata() or (), step.request_id
            ) from error


def _channel(target: str, options: Options) -> grpc.Channel:
    connection = options.connection
    channel_arguments = arguments(connection, options.retry)
    if connection.credentials is None:
        return grpc.insecure_channel(target, channel_arguments)
    return grpc.secure_channel(target, connection.credentials, channel_arguments)
