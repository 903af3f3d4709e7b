"""What surrounds every call of ours: an id, a place, a deadline, a rich status, a last look.

Handlers are wrapped once, when the server is made. gRPC's own interceptors would be asked to wrap
them anew for every call, which costs as much as answering a simple one.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
from server.places import Places, asks_for_new_items, elements
from server.security.authenticator import Metadata
from server.security.gate import Gate
from server.security.roles import check_role, role_needed
from server.statuses import reason_of, row_of, to_status
from server.validation import check_request_id

REQUEST_ID_KEY = "x-request-id"
STATUS_KEY = "grpc-status-details-bin"
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the retries of gRPC clients to stay away. Source: gRFC A6."""
NO_MESSAGE = "expected a message of this call, in UTF-8; the bytes are none"

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Answer = Message | bytes
"""A message, or one that is serialized already."""
Later = Callable[[], Awaitable[Answer]]
"""What is to be done for an answer that is not there at once; begun when it is called."""
Handler = Callable[[Any], Answer | Later]
"""Answers a request: at once where nothing has to be waited for, else later."""


class Watcher(Protocol):
    """Somebody who is told of every call. Raises nothing: it would be the caller's."""

    def began(self, call: Call, metadata: Metadata) -> None:
        """Take note of a call that is about to be answered."""
        ...

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """Take note of how it ended."""
        ...


@dataclass(slots=True)
class Received:
    """What came from the wire."""

    request: Any
    """The message; None where the bytes are none."""
    size: int
    """Length in bytes."""


class Surround:
    """Turns handlers into what gRPC calls; for one event loop.

    Calls with new items wait for the featurizer and have places of their own: however many of them
    hang, the others find theirs as free as ever.
    """

    def __init__(self, limits: Limits, gate: Gate, watchers: Sequence[Watcher] = ()) -> None:
        self._limits = limits
        self._gate = gate
        self._default_s = limits.default_deadline_ms / 1000
        self._places = Places(limits.max_concurrent_calls, "calls")
        self._new_items = Places(limits.max_new_item_calls, "calls with new items")
        self._watchers = tuple(watchers)
        self._clock = asyncio.get_running_loop().time

    def wrap(self, method: Method, handler: Handler) -> "grpc.RpcMethodHandler[Any, Any]":
        """Make what gRPC calls for a method."""
        needed = role_needed(method.path)

        async def handle(received: Received, context: Context) -> bytes:
            call = Call(method, needed, self._clock(), uuid4().hex)
            call.request_bytes = received.size
            CURRENT.set(call)
            metadata = context.invocation_metadata() or ()
            for watcher in self._watchers:
                watcher.began(call, metadata)
            try:
                answer = await self._answer(received.request, context, call, metadata, handler)
            except grpc.aio.AbortError:
                raise
            except asyncio.CancelledError:
                self._end(call, grpc.StatusCode.CANCELLED)
                raise
            except Exception as error:
                await self._refuse(call, context, error)
                raise AssertionError("abort raises") from error
            self._end(call, grpc.StatusCode.OK)
            return answer

        behavior: Any = handle  # a coroutine function, which the stubs cannot say
        return grpc.unary_unary_rpc_method_handler(behavior, _reader(method.request), None)

    async def _answer(
        self,
        request: Any,  # noqa: ANN401
        context: Context,
        call: Call,
        metadata: Metadata,
        handler: Handler,
    ) -> bytes:
        caller = self._gate.authenticator.authenticate(metadata, context.auth_context)
        call.caller = caller.name
        check_role(caller, call.needed)
        if request is None:
            raise InvalidRequestError((Violation("request", NO_MESSAGE),))
        asked_for = request.request_id or _from_metadata(metadata)
        check_request_id(asked_for)
        call.request_id = asked_for or call.request_id
        apart = asks_for_new_items(request, self._limits.max_batch_elements)
        places = self._new_items if apart else self._places
        with self._gate.rates.take(caller, elements(request)), places.one():
            answer = handler(request)
            if callable(answer):
                call.deadline = self._deadline(context, call)
                answer = await _in_time(answer, call.deadline)
        return self._written(answer)

    async def _refuse(self, call: Call, context: Context, error: Exception) -> None:
        row = row_of(error)
        call.reason = reason_of(row)
        self._end(call, row.code)
        await abort(context, error, call.request_id)

    def _deadline(self, context: Context, call: Call) -> float:
        remaining = context.time_remaining()
        seconds = self._default_s if remaining is None else remaining
        if seconds <= 0:
            raise DeadlinePassedError
        return call.started + seconds

    def _written(self, answer: Answer) -> bytes:
        """Serialize; refuse to send what most clients would refuse to take."""
        data = answer if isinstance(answer, bytes) else answer.SerializeToString()
        CURRENT.get().response_bytes = len(data)
        if len(data) > self._limits.max_response_bytes:
            raise ResponseTooLargeError(len(data), self._limits.max_response_bytes)
        return data

    def _end(self, call: Call, code: grpc.StatusCode) -> None:
        for watcher in self._watchers:
            watcher.ended(call, code)


def handler_of(method: Any) -> Handler:  # noqa: ANN401 - a method of a service
    """Make a handler of a method that answers at once, or of one that is a coroutine function."""
    handler: Handler = partial(partial, method) if inspect.iscoroutinefunction(method) else method
    return handler


async def _in_time(later: Later, deadline: float) -> Answer:
    try:
        async with asyncio.timeout_at(deadline):
            return await later()
    except TimeoutError:
        raise DeadlinePassedError from None


def _reader(request: type[Message]) -> Callable[[bytes], Received]:
    """Return what turns bytes into requests, where they are one."""
    parse = request.FromString

    def read(data: bytes) -> Received:
        try:
            return Received(parse(data), len(data))
        except DecodeError:
            return Received(None, len(data))

    return read


def _from_metadata(metadata: Metadata) -> str:
    for key, value in metadata:
        if key == REQUEST_ID_KEY:
            return value if isinstance(value, str) else ""
    return ""


async def abort(context: Context, error: Exception, request_id: str) -> None:
    """End a call with the rich status of an error. Raises, as gRPC does."""
    status = to_status(error, request_id)
    row = row_of(error)
    trailers: list[tuple[str, str | bytes]] = [(STATUS_KEY, status.SerializeToString())]
    if row.pushed_back:
        trailers.append(NO_RETRY)
    await context.abort(row.code, status.message, trailing_metadata=tuple(trailers))
