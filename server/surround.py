"""What surrounds every call of ours: who calls, a place, an id, a deadline, a rich status.

A call is authenticated, held to its caller's limits and given a place before its message is read,
and the message is measured before it is parsed: what is refused costs neither memory nor time.

Handlers are wrapped once, when the server is made. gRPC's own interceptors would be asked to wrap
them anew for every call, which costs as much as answering a simple one. Every handler takes a
stream of messages, which is what a unary call is on the wire: of a handler that takes one message,
gRPC would read it before anybody is asked.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, NamedTuple, NoReturn, Protocol, TypeAlias
from uuid import uuid4

import grpc
from google.protobuf.message import Message

from server.calls import CURRENT, Call
from server.errors import (
    DeadlinePassedError,
    FaultError,
    InvalidRequestError,
    OverloadedError,
    ResponseTooLargeError,
    ServiceError,
)
from server.limits import Limits
from server.message_reader import Context, MessageReader
from server.methods import Method
from server.places import Place, Places, asks_for_new_items, elements
from server.request_memory import RequestMemory
from server.request_parser import RequestParser, no_message
from server.security.authenticator import Metadata
from server.security.errors import RateLimitedError
from server.security.gate import Gate
from server.security.rates import Account
from server.security.roles import check_role, role_needed
from server.statuses import reason_of, row_of, to_status
from server.validation import check_request_id, is_request_id

REQUEST_ID_KEY = "x-request-id"
STATUS_KEY = "grpc-status-details-bin"
NO_RETRY = ("grpc-retry-pushback-ms", "-1")
"""Tells the retries of gRPC clients to stay away. Source: gRFC A6."""
TURNED_AWAY = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)
"""Codes of calls that nothing was done for; they cost their callers nothing."""
ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends the process or the call itself, and is no failure."""
CALLS = "calls"
OVERLOADED = reason_of(row_of(OverloadedError(0, "")))

Answer = Message | bytes
"""A message, or one that is serialized already."""
Later = Callable[[], Awaitable[Answer]]
"""What is to be done for an answer that is not there at once; begun when it is called."""
Handler = Callable[[Any], Answer | Later]
"""Answers a request: at once where nothing has to be waited for, else later."""
StreamHandler = Callable[[AsyncIterator[Any]], Awaitable[Answer]]
"""Answers a stream of requests."""
RpcHandler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class Watcher(Protocol):
    """Somebody who is told of every call. Raises nothing: it would be the caller's."""

    def began(self, call: Call, metadata: Metadata) -> None:
        """Take note of a call that is about to be answered."""
        ...

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        """Take note of how it ended."""
        ...

    def turned_away(self, method: Method) -> None:
        """Take note of a call that was refused before anything was known of it; in no time."""
        ...


class Refusal(NamedTuple):
    """How a call ends that is not answered."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, str | bytes], ...]


class Admitted(NamedTuple):
    """A call that was let in."""

    call: Call
    context: Context
    account: Account
    place: Place


class Surround:
    """Turns handlers into what gRPC calls; for one event loop.

    Calls with new items wait for the featurizer and have places of their own: however many of them
    hang, the others find theirs as free as ever.
    """

    def __init__(
        self,
        limits: Limits,
        gate: Gate,
        reader: MessageReader,
        memory: RequestMemory,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._limits = limits
        self._gate = gate
        self._reader = reader
        self._memory = memory
        self._default_s = limits.default_deadline_ms / 1000
        self._places = Places(limits.max_concurrent_calls, CALLS)
        self._new_items = Places(limits.max_new_item_calls, "calls with new items")
        self._watchers = tuple(watchers)
        full = OverloadedError(limits.max_concurrent_calls, CALLS)
        self._full = refusal_of(full, "")
        self._clock = asyncio.get_running_loop().time

    def wrap(self, method: Method, handler: Handler) -> RpcHandler:
        """Make what gRPC calls for a method that takes one request."""
        return self._wrapped(method, partial(self._answer_one, self._parser(method), handler))

    def wrap_stream(self, method: Method, handler: StreamHandler) -> RpcHandler:
        """Make what gRPC calls for a method that takes a stream of requests."""
        return self._wrapped(method, partial(self._answer_stream, self._parser(method), handler))

    def _wrapped(
        self, method: Method, answer: Callable[[Admitted], Awaitable[Answer]]
    ) -> RpcHandler:
        needed = role_needed(method.path)

        async def handle(messages: object, context: Context) -> bytes:
            if self._places.full:  # whatever else a refusal cost, answers would be late by
                for watcher in self._watchers:
                    watcher.turned_away(method)
                await abort(context, self._full)
            call = Call(method, needed, self._clock(), uuid4().hex)
            CURRENT.set(call)
            outcome = await self._outcome(call, context, answer)
            if isinstance(outcome, Refusal):
                await abort(context, outcome)
            return outcome

        behavior: Any = handle  # a coroutine function, which the stubs cannot say
        return grpc.stream_unary_rpc_method_handler(behavior, None, None)

    async def _outcome(
        self, call: Call, context: Context, answer: Callable[[Admitted], Awaitable[Answer]]
    ) -> bytes | Refusal:
        metadata = context.invocation_metadata() or ()
        for watcher in self._watchers:
            watcher.began(call, metadata)
        try:
            data = await self._admit(call, context, metadata, answer)
        except asyncio.CancelledError:
            self._end(call, grpc.StatusCode.CANCELLED)
            raise
        except BaseException as error:
            if isinstance(error, ENDS):
                raise
            return self._refusal(call, error)
        self._end(call, grpc.StatusCode.OK)
        return data

    def _parser(self, method: Method) -> RequestParser:
        return RequestParser(method.request, self._memory, self._limits.max_batch_elements)

    async def _admit(
        self,
        call: Call,
        context: Context,
        metadata: Metadata,
        answer: Callable[[Admitted], Awaitable[Answer]],
    ) -> bytes:
        """Let a call in, or refuse it on its headers alone."""
        call.request_id = _from_metadata(metadata) or call.request_id
        caller = self._gate.authenticator.authenticate(metadata, context.auth_context)
        call.caller = caller.name
        check_role(caller, call.needed)
        with self._gate.rates.admit(caller) as account, self._places.one() as place:
            return self._written(await answer(Admitted(call, context, account, place)))

    async def _answer_one(
        self, parser: RequestParser, handler: Handler, admitted: Admitted
    ) -> Answer:
        call, context, account, place = admitted
        charged = 0.0
        try:
            data = await self._reader.read(context)
            if data is None:
                raise no_message()
            call.request_bytes = len(data)
            with parser.hold(data, call.caller):
                request: Any = parser.parse(data)
                if request.request_id:
                    check_request_id(request.request_id)
                    call.request_id = request.request_id
                most = self._limits.max_batch_elements
                if asks_for_new_items(request, most):
                    place.move(self._new_items)
                cost = float(min(elements(request), most))
                account.charge(cost)
                charged = cost
                answer = handler(request)
                if callable(answer):
                    call.deadline = self._deadline(context, call)
                    answer = await _in_time(answer, call.deadline)
        except ServiceError as error:
            _settle(account, charged, error)
            raise
        if call.element_reasons:
            account.refund(call.element_reasons.count(OVERLOADED))
        return answer

    async def _answer_stream(
        self, parser: RequestParser, handler: StreamHandler, admitted: Admitted
    ) -> Answer:
        call, context, account, _ = admitted
        account.charge(1.0)
        call.deadline = self._deadline(context, call)
        async with aclosing(self._requests(parser, call, context)) as requests:
            return await _in_time(partial(handler, requests), call.deadline)

    async def _requests(
        self, parser: RequestParser, call: Call, context: Context
    ) -> AsyncGenerator[Message, None]:
        while (data := await self._reader.read(context)) is not None:
            call.request_bytes += len(data)
            with parser.hold(data, call.caller):
                yield parser.parse(data)

    def _refusal(self, call: Call, error: BaseException) -> Refusal:
        if not isinstance(error, Exception):  # a panic of a library in Rust is none
            fault = FaultError()
            fault.__cause__ = error
            return self._refusal(call, fault)
        row = row_of(error)
        call.reason = reason_of(row)
        self._end(call, row.code)
        return refusal_of(error, call.request_id)

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


def _from_metadata(metadata: Metadata) -> str:
    """Find the id that a caller or a proxy gave a call; empty where it gave none that is usable."""
    for key, value in metadata:
        if key == REQUEST_ID_KEY:
            return value if isinstance(value, str) and is_request_id(value) else ""
    return ""


def _settle(account: Account, charged: float, error: ServiceError) -> None:
    """Charge a call that failed: nothing where it was turned away, one where it was wrong."""
    if row_of(error).code in TURNED_AWAY:
        account.refund(charged)
    elif isinstance(error, InvalidRequestError):
        account.refund(charged)
        with suppress(RateLimitedError):
            account.charge(1.0)


def refusal_of(error: Exception, request_id: str) -> Refusal:
    """Write what the caller hears of an error, and log it where it is a fault."""
    status, row = to_status(error, request_id), row_of(error)
    trailers: list[tuple[str, str | bytes]] = [(STATUS_KEY, status.SerializeToString())]
    if row.pushed_back:
        trailers.append(NO_RETRY)
    return Refusal(row.code, status.message, tuple(trailers))


async def abort(context: Context, refusal: Refusal) -> NoReturn:
    """End a call. Raises, as gRPC does.

    Not to be called while an error is handled: gRPC keeps what it raises here, with all frames and
    so with the request, until the garbage collector finds it.
    """
    await context.abort(*refusal)
    raise AssertionError("abort raises")
