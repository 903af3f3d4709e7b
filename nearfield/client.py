"""The blocking client."""

from collections.abc import Generator, Iterable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from nearfield.batch import Batch
from nearfield.blocking import Wire
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
from nearfield.thread_stream import stream
from nearfield.vectors import SpaceVector

E = TypeVar("E")
T = TypeVar("T")
R = TypeVar("R")
ItemT = TypeVar("ItemT", bound=str | NewItem)
UserT = TypeVar("UserT", bound=str | User)


class Client:
    """Calls a nearfield server and blocks until the answer is there.

    One client serves any number of threads: make one and keep it. Every call has a timeout and is
    tried again where that is safe; `timeout_s` and `request_id` can be given with each call.
    Nothing is sent before the first call.
    """

    def __init__(
        self,
        target: str | Sequence[str],
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        connection: Connection | None = None,
    ) -> None:
        """Make a client of the server at `target`, for example "localhost:50051" or "localhost".

        Several servers that serve the same are a list, or one string with commas. Their addresses
        are called in turn; one that is away is passed over, and calls that it leaves unanswered go
        on to the others. A name that stands for several servers is one address, and all of them
        are called in turn too.

        Raises:
            ArgumentError: the target is no address, a file of `Connection.tls` cannot be read, or a
                token would be sent where somebody could read it.
        """
        options = Options(timeouts or Timeouts(), retry or Retry(), connection or Connection())
        self._wire = Wire(target, options)
        self._operations = Operations(options, self._wire.rota)

    def close(self) -> None:
        """Close the connection; calls under way end with ClientClosedError."""
        self._wire.close()

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

    def wait_until_ready(self, timeout_s: float, *, request_id: str = "") -> None:
        """Wait until the server says that it serves, whether it listens yet or not.

        Of several servers it is enough that one does.

        Raises:
            DeadlineExceededError: it was not in time; the message says what came last.
            UnimplementedError: the server has no health service.
        """
        self._run(self._operations.wait_until_ready(timeout_s, request_id))

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

    def embed_items_stream(
        self,
        items: Iterable[ItemT],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Generator[tuple[ItemT, ItemEmbedding | NearfieldError], None, None]:
        """Give each item with its vector or its error, in order, of a source that need not end.

        `in_flight` chunks of `chunk` items are under way at most, and no more items than that are
        taken from the source before their outcomes were consumed: a slow consumer slows it down.
        A full server that says how long to wait holds up the whole stream and fails nobody, for
        `Retry.patience_s`. `timeout_s` bounds each message; without it `Timeouts.chunk_s` does.

        Leaving cancels what is under way. With `contextlib.closing` it does so at once.

        Raises:
            NearfieldError: every later chunk would fail alike: the client is closed, the caller is
                turned away, the server does not know the call.
        """
        send = self._operations.streams.items(dtype, timeout_s, request_id)
        return self._stream(items, send, in_flight, chunk)

    def embed_users_stream(
        self,
        users: Iterable[UserT],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        dtype: VectorDtype = VectorDtype.FLOAT32,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Generator[tuple[UserT, UserEmbedding | NearfieldError], None, None]:
        """Give each person with their vector or its error; as `embed_items_stream`."""
        send = self._operations.streams.users(dtype, timeout_s, request_id)
        return self._stream(users, send, in_flight, chunk)

    def recommend_stream(
        self,
        queries: Iterable[RecommendQuery],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Generator[tuple[RecommendQuery, Recommendations | NearfieldError], None, None]:
        """Give each query with its items or its error; as `embed_items_stream`."""
        send = self._operations.streams.recommendations(timeout_s, request_id)
        return self._stream(queries, send, in_flight, chunk)

    def similar_items_stream(
        self,
        queries: Iterable[SimilarQuery],
        *,
        in_flight: int = 4,
        chunk: int = 256,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Generator[tuple[SimilarQuery, SimilarItems | NearfieldError], None, None]:
        """Give each query with its items or its error; as `embed_items_stream`."""
        send = self._operations.streams.similar_items(timeout_s, request_id)
        return self._stream(queries, send, in_flight, chunk)

    def _stream(
        self, elements: Iterable[E], send: SendChunk[E, R], in_flight: int, chunk: int
    ) -> Generator[tuple[E, R | NearfieldError], None, None]:
        check_stream(elements, in_flight, chunk)
        return stream(elements, send, self._wire, in_flight, chunk)

    def _run(self, steps: Steps[T]) -> T:
        return self._wire.run(steps)
