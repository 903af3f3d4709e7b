"""What surrounds every call of ours: an id, a place, a deadline, a rich status, a last look.

Handlers are wrapped once, when the server is made. gRPC's own interceptors would be asked to wrap
them anew for every call, which costs as much as answering a simple one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias
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
from server.methods import Method
from server.places import Places, asks_for_new_items
from server.statuses import row_of, to_status
from server.validation import check_request_id

REQUEST_ID_KEY = "x-request-id"
STATUS_KEY = "grpc-status-details-bin"
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the retries of gRPC clients to stay away. Source: gRFC A6."""
NO_MESSAGE = "expected a message of this call, in UTF-8; the bytes are none"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Answer = Message | bytes
"""A message, or one that is serialized already."""
Handler = Callable[[Any], Answer | Awaitable[Answer]]
"""Answers a request: at once where nothing has to be waited for, else later."""


class Watcher(Protocol):
    """Somebody who is told of every call that has ended."""

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """Take note; whatever is raised here would be the caller's, so nothing may be."""
        ...


@dataclass
class Garbage:
    """Bytes that are no request."""

    request_id: str = ""


class Surround:
    """Turns handlers into what gRPC calls; for one event loop.

    Calls with new items wait for the featurizer and have places of their own: however many of them
    hang, the others find theirs as free as ever.
    """

    def __init__(self, limits: Limits, watchers: Sequence[Watcher] = ()) -> None:
        self._limits = limits
        self._default_s = limits.default_deadline_ms / 1000
        self._places = Places(limits.max_concurrent_calls, "calls")
        self._new_items = Places(limits.max_new_item_calls, "calls with new items")
        self._watchers = tuple(watchers)
        self._clock = asyncio.get_running_loop().time

    def wrap(self, method: Method, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
        """Make what gRPC calls for a method."""

        async def handle(request: Any, context: Context) -> bytes:  # noqa: ANN401
            call = Call(method, self._clock(), "")
            CURRENT.set(call)
            try:
                answer = await self._answer(request, context, call, handler)
            except grpc.aio.AbortError:
                raise
            except asyncio.CancelledError:
                self._end(call, grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:
                self._end(call, row_of(error).code)
                await _abort(context, error, call)
                raise AssertionError("abort raises") from error
            self._end(call, grpc.StatusCode.OK)
            return answer

        behavior: Any = handle  # a coroutine function, which the stubs cannot say
        return grpc.unary_unary_rpc_method_handler(behavior, _reader(method.request), None)

    async def _answer(self, request: Any, context: Context, call: Call, handler: Handler) -> bytes:  # noqa: ANN401
        call.request_id = uuid4().hex
        if isinstance(request, Garbage):
            raise InvalidRequestError((Violation("request", NO_MESSAGE),))
        asked_for = request.request_id or _from_metadata(context)
        check_request_id(asked_for)
        call.request_id = asked_for or call.request_id
        apart = asks_for_new_items(request, self._limits.max_batch_elements)
        with (self._new_items if apart else self._places).one():
            call.deadline = self._deadline(context, call)
            answer = handler(request)
            if not isinstance(answer, Message | bytes):
                answer = await _in_time(answer, call.deadline)
        return self._written(answer)

    def _deadline(self, context: Context, call: Call) -> float:
        remaining = context.time_remaining()
        seconds = self._default_s if remaining is None else remaining
        if seconds <= 0:
            raise DeadlinePassedError
        return call.started + seconds

    def _written(self, answer: Answer) -> bytes:
        """Serialize; refuse to send what most clients would refuse to take."""
        data = answer if isinstance(answer, bytes) else answer.SerializeToString()
        if len(data) > self._limits.max_response_bytes:
            raise ResponseTooLargeError(len(data), self._limits.max_response_bytes)
        return data

    def _end(self, call: Call, code: grpc.StatusCode) -> None:
        for watcher in self._watchers:
            watcher.ended(call, code)


async def _in_time(answer: Awaitable[Answer], deadline: float) -> Answer:
    try:
        async with asyncio.timeout_at(deadline):
            return await answer
    except TimeoutError:
        raise DeadlinePassedError from None


def _reader(request: type[Message]) -> Callable[[bytes], Message | Garbage]:
    """Return what turns bytes into requests, and what is no request into `Garbage`."""
    parse = request.FromString

    def read(data: bytes) -> Message | Garbage:
        try:
            return parse(data)
        except DecodeError:
            return Garbage()

    return read


def _from_metadata(context: Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY:
            return value if isinstance(value, str) else ""
    return ""


async def _abort(context: Context, error: Exception, call: Call) -> None:
    status = to_status(error, call.request_id)
    row = row_of(error)
    trailers: list[tuple[str, str | bytes]] = [(STATUS_KEY, status.SerializeToString())]
    if row.pushed_back:
        trailers.append(NO_RETRY)
    await context.abort(row.code, status.message, trailing_metadata=tuple(trailers))
