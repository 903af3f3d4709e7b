"""What surrounds every call of ours: request id, errors, permits, deadline, size of the answer."""

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, TypeVar
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError, Message

from server.calls import CURRENT, Call
from server.errors import (
    DeadlinePassedError,
    InvalidRequestError,
    ResponseTooLargeError,
    Violation,
)
from server.limits import Limits
from server.places import Places, asks_for_new_items
from server.statuses import row_of, to_status
from server.validation import check_request_id

OURS = "/nearfield."
REQUEST_ID_KEY = "x-request-id"
STATUS_KEY = "grpc-status-details-bin"
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the retries of gRPC clients to stay away. Source: gRFC A6."""
NO_MESSAGE = "expected a message of this call, in UTF-8; the bytes are none"


class Request(Protocol):
    """What every request of ours has."""

    request_id: str


RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")
Continuation: TypeAlias = (
    "Callable[[grpc.HandlerCallDetails],"
    " Awaitable[grpc.RpcMethodHandler[RequestT, ResponseT] | None]]"
)


@dataclass
class Garbage:
    """Bytes that are no request."""

    request_id: str = ""


Deserialize = Callable[[bytes], Request]
Context = grpc.aio.ServicerContext[Any, Any]
Handler = Callable[[Any, Context], Awaitable[Message]]


class UnaryInterceptor(grpc.aio.ServerInterceptor):
    """Surrounds the unary calls of our own services; health and reflection pass untouched."""

    async def intercept_service(
        self,
        continuation: "Continuation[RequestT, ResponseT]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[RequestT, ResponseT] | None":
        """Wrap the handler of a call."""
        handler = await continuation(handler_call_details)
        if handler is None or not handler_call_details.method.startswith(OURS):
            return handler
        inner: Any = handler.unary_unary  # a coroutine function, which the stubs cannot say

        async def surrounded(request: Request, context: Context) -> Message:
            return await self.surround(request, context, inner)

        wrapped: Any = surrounded
        deserialize: Any = handler.request_deserializer
        deserializer: Any = self.deserializer(deserialize)
        return grpc.unary_unary_rpc_method_handler(
            wrapped,
            request_deserializer=deserializer,
            response_serializer=handler.response_serializer,
        )

    def deserializer(self, deserialize: Deserialize) -> Deserialize:
        """Return what turns bytes into requests."""
        return deserialize

    @abstractmethod
    async def surround(self, request: Request, context: Context, inner: Handler) -> Message:
        """Answer a call by way of `inner`."""


class Errors(UnaryInterceptor):
    """Gives each call an id, and turns whatever it raises into a rich status."""

    def deserializer(self, deserialize: Deserialize) -> Deserialize:
        """Return what turns bytes into requests, and what is no request into `Garbage`."""

        def safely(data: bytes) -> Request:
            try:
                return deserialize(data)
            except DecodeError:
                return Garbage()

        return safely

    async def surround(self, request: Request, context: Context, inner: Handler) -> Message:
        """Answer a call; see the class."""
        started = asyncio.get_running_loop().time()
        asked_for = request.request_id or _from_metadata(context)
        made_up = uuid4().hex
        CURRENT.set(Call(made_up, started))
        try:
            if isinstance(request, Garbage):
                raise InvalidRequestError((Violation("request", NO_MESSAGE),))
            check_request_id(asked_for)
            CURRENT.set(Call(asked_for or made_up, started))
            return await inner(request, context)
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - the table has a row for the unexpected
            await _abort(context, error)
        raise AssertionError("abort raises")


class Permits(UnaryInterceptor):
    """Refuses calls at once while as many as the server takes are under way.

    Calls with new items wait for the featurizer and have places of their own: however many of them
    hang, the others find theirs as free as ever.
    """

    def __init__(self, limits: Limits) -> None:
        self._most_elements = limits.max_batch_elements
        self._places = Places(limits.max_concurrent_calls, "calls")
        self._new_items = Places(limits.max_new_item_calls, "calls with new items")

    async def surround(self, request: Request, context: Context, inner: Handler) -> Message:
        """Answer a call; see the class."""
        apart = asks_for_new_items(request, self._most_elements)
        with (self._new_items if apart else self._places).one():
            return await inner(request, context)


class Deadlines(UnaryInterceptor):
    """Gives every call a deadline, and stops working for it when that has passed."""

    def __init__(self, limits: Limits) -> None:
        self._default_s = limits.default_deadline_ms / 1000

    async def surround(self, request: Request, context: Context, inner: Handler) -> Message:
        """Answer a call; see the class."""
        remaining = context.time_remaining()
        seconds = self._default_s if remaining is None else remaining
        if seconds <= 0:
            raise DeadlinePassedError
        call = CURRENT.get()
        deadline = asyncio.get_running_loop().time() + seconds
        CURRENT.set(replace(call, deadline=deadline))
        try:
            async with asyncio.timeout_at(deadline):
                return await inner(request, context)
        except TimeoutError:
            raise DeadlinePassedError from None


class Sizes(UnaryInterceptor):
    """Refuses to send answers that most clients would refuse to take."""

    def __init__(self, limits: Limits) -> None:
        self._limit = limits.max_response_bytes

    async def surround(self, request: Request, context: Context, inner: Handler) -> Message:
        """Answer a call; see the class."""
        response = await inner(request, context)
        if response.ByteSize() > self._limit:
            raise ResponseTooLargeError(response.ByteSize(), self._limit)
        return response


def all_interceptors(limits: Limits) -> list[UnaryInterceptor]:
    """List the interceptors, the outermost first."""
    return [Errors(), Permits(limits), Deadlines(limits), Sizes(limits)]


def _from_metadata(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY:
            return value if isinstance(value, str) else ""
    return ""


async def _abort(context: Context, error: Exception) -> None:
    status = to_status(error, CURRENT.get().request_id)
    row = row_of(error)
    trailers: list[tuple[str, str | bytes]] = [(STATUS_KEY, status.SerializeToString())]
    if row.pushed_back:
        trailers.append(NO_RETRY)
    await context.abort(row.code, status.message, trailing_metadata=tuple(trailers))
