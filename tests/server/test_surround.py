"""What surrounds a call, by itself; tests/server/test_app.py has it inside a running server."""

import asyncio
from typing import Any, cast

import grpc
import pytest

from nearfield.v1.embedding_pb2 import (
    BatchEmbedItemsRequest,
    EmbedItemRequest,
    EmbedItemResponse,
)
from server.calls import CURRENT, Call
from server.errors import BusyError, UnknownItemError
from server.limits import Limits
from server.message_reader import Context, MessageReader
from server.methods import METHODS, Method
from server.request_memory import RequestMemory
from server.security.authenticator import Authenticator, Metadata
from server.security.callers import UNLIMITED, Caller, CallerLimits, Role
from server.security.errors import CredentialsMissingError
from server.security.gate import Gate, open_gate
from server.security.rates import Rates
from server.security.settings import SecuritySettings
from server.surround import Handler, Later, Surround, Watcher, handler_of

BATCH = METHODS["/nearfield.v1.EmbeddingService/BatchEmbedItems"]
EMBED_ITEM = METHODS["/nearfield.v1.EmbeddingService/EmbedItem"]
OPEN = open_gate(SecuritySettings(authentication="off"), "127.0.0.1")
KNOWN = EmbedItemRequest(item_id="a", request_id="mine")


class Aborted(grpc.aio.AbortError):
    """As gRPC ends a handler."""


class Waiting:
    """The context of a call whose caller waits for some seconds more."""

    def __init__(
        self,
        seconds: float | None = None,
        metadata: tuple[tuple[str, str], ...] = (),
        data: bytes | None = None,
    ) -> None:
        self._seconds = seconds
        self._metadata = metadata
        self._data = KNOWN.SerializeToString() if data is None else data
        self.was_read = False
        self.code: grpc.StatusCode | None = None

    async def read(self) -> bytes:
        self.was_read = True
        return self._data

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    def time_remaining(self) -> float | None:
        return self._seconds

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._metadata

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object) -> None:
        self.code = code
        raise Aborted(details)


class Inner:
    """A handler that remembers its calls and can be held up."""

    def __init__(self) -> None:
        self.deadlines: list[float] = []
        self.hold = asyncio.Event()
        self.hold.set()

    def __call__(self, request: object) -> Later:
        return self._later

    async def _later(self) -> EmbedItemResponse:
        self.deadlines.append(CURRENT.get().deadline)
        await self.hold.wait()
        return EmbedItemResponse()


class Told:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.began_calls: list[str] = []
        self.ended_calls: list[tuple[str, grpc.StatusCode]] = []
        self.turned_away_calls: list[str] = []

    def began(self, call: Call, metadata: Metadata) -> None:
        self.began_calls.append(call.method.name)

    def turned_away(self, method: Method) -> None:
        self.turned_away_calls.append(method.name)

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        self.ended_calls.append((call.request_id, code))


def make(limits: Limits | None = None, gate: Gate = OPEN, *watchers: Watcher) -> Surround:
    reader = MessageReader(2**22, timeout_s=10)
    return Surround(limits or Limits(), gate, reader, RequestMemory(2**26), watchers)


async def ask(
    surround: Surround,
    handler: Handler,
    context: Waiting | None = None,
) -> bytes:
    wrapped: Any = surround.wrap(EMBED_ITEM, handler)
    answer: bytes = await wrapped.stream_unary(None, cast("Context", context or Waiting()))
    return answer


@pytest.mark.parametrize("seconds", [0.0, -0.5])
async def test_deadline_already_passed_costs_no_work(seconds: float) -> None:
    inner, context = Inner(), Waiting(seconds)
    with pytest.raises(Aborted, match="deadline passed"):
        await ask(make(), inner, context)
    assert context.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not inner.deadlines


async def test_handler_knows_the_callers_deadline_else_the_servers() -> None:
    inner, surround = Inner(), make(Limits(default_deadline_ms=7000))
    started = asyncio.get_running_loop().time()
    for seconds in (3.0, None):
        await ask(surround, inner, Waiting(seconds))
    assert [each - started for each in inner.deadlines] == pytest.approx([3.0, 7.0], abs=0.5)


async def test_call_beyond_the_places_is_refused_until_one_is_free() -> None:
    told, inner = Told(), Inner()
    surround = make(Limits(max_concurrent_calls=2), OPEN, told)
    inner.hold.clear()
    held = [asyncio.ensure_future(ask(surround, inner)) for _ in range(2)]
    await asyncio.sleep(0)
    context = Waiting()
    with pytest.raises(Aborted, match="2 places for calls are taken"):
        await ask(surround, inner, context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert told.turned_away_calls == ["EmbedItem"]
    assert len(inner.deadlines) == 2
    inner.hold.set()
    await asyncio.gather(*held)
    await ask(surround, inner)


async def test_call_that_fails_gives_its_place_back() -> None:
    surround = make(Limits(max_concurrent_calls=1))

    def fail(request: object) -> EmbedItemResponse:
        raise UnknownItemError("a")

    for _ in range(3):
        with pytest.raises(Aborted, match="no item 'a'"):
            await ask(surround, fail)


async def test_answers_at_once_and_later_and_in_bytes_are_alike() -> None:
    surround, answer = make(), EmbedItemResponse()
    answer.embedding.item_id = "a"

    async def later() -> EmbedItemResponse:
        return answer

    async def answer_later(request: object) -> EmbedItemResponse:
        return answer

    for handler in (
        lambda request: answer,
        lambda request: answer.SerializeToString(),
        lambda request: later,
        handler_of(answer_later),
    ):
        assert await ask(surround, handler) == answer.SerializeToString()


async def test_watchers_hear_how_each_call_ended() -> None:
    told, inner = Told(), Inner()
    surround = make(None, OPEN, told)

    def fail(request: object) -> EmbedItemResponse:
        raise UnknownItemError("a")

    await ask(surround, inner)
    with pytest.raises(Aborted):
        await ask(surround, fail)
    inner.hold.clear()
    leaving = asyncio.ensure_future(ask(surround, inner))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    codes = (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.CANCELLED)
    assert told.began_calls == ["EmbedItem"] * 3
    assert told.ended_calls == [("mine", code) for code in codes]


class OneCaller:
    """Authentication that knows one caller."""

    def __init__(self, **limits: float) -> None:
        self._limits = CallerLimits.model_validate(limits)

    def authenticate(self, metadata: object, peer: object) -> Caller:
        return Caller("shop", frozenset({Role.INFERENCE}), self._limits)


class Nobody:
    """Authentication that believes nobody."""

    def authenticate(self, metadata: object, peer: object) -> Caller:
        raise CredentialsMissingError


def gate_of(authenticator: Authenticator) -> Gate:
    return Gate(authenticator, Rates(UNLIMITED), None)


async def code_of(surround: Surround, handler: Handler, data: bytes | None = None) -> str:
    context = Waiting(data=data)
    try:
        await ask(surround, handler, context)
    except Aborted:
        assert context.code is not None
        return context.code.name
    return "OK"


def answer(request: object) -> EmbedItemResponse:
    return EmbedItemResponse()


class Panic(BaseException):
    """As pyo3 raises where a library in Rust fails."""


async def test_panic_of_a_library_is_a_fault_that_watchers_hear_of() -> None:
    told = Told()
    surround = make(Limits(max_concurrent_calls=1), OPEN, told)

    def panic(request: object) -> EmbedItemResponse:
        raise Panic("secret")

    for _ in range(2):
        context = Waiting()
        with pytest.raises(Aborted, match="internal error"):
            await ask(surround, panic, context)
        assert context.code is grpc.StatusCode.INTERNAL
    assert told.ended_calls == [("mine", grpc.StatusCode.INTERNAL)] * 2


async def test_nothing_is_read_of_a_call_that_is_not_let_in() -> None:
    for limits, gate in ((Limits(), gate_of(Nobody())), (Limits(max_concurrent_calls=1), OPEN)):
        surround, inner = make(limits, gate), Inner()
        inner.hold.clear()
        held = asyncio.ensure_future(ask(surround, inner))
        await asyncio.sleep(0)
        context = Waiting()
        with pytest.raises(Aborted):
            await ask(surround, inner, context)
        assert not context.was_read
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)


async def test_odd_request_id_of_a_proxy_is_replaced() -> None:
    told = Told()
    surround, anonymous = make(None, OPEN, told), EmbedItemRequest(item_id="a").SerializeToString()
    for given in ("x" * 129, "snow ☃", ""):
        await ask(surround, answer, Waiting(metadata=(("x-request-id", given),), data=anonymous))
    await ask(surround, answer, Waiting(metadata=(("x-request-id", "good"),), data=anonymous))
    *replaced, kept = (request_id for request_id, _ in told.ended_calls)
    assert kept == "good"
    assert all(len(each) == 32 for each in replaced)
    assert len({*replaced}) == 3


async def test_call_that_is_turned_away_costs_its_caller_nothing() -> None:
    surround = make(None, gate_of(OneCaller(calls_per_s=0.001, burst_calls=2)))

    def busy(request: object) -> EmbedItemResponse:
        raise BusyError("vectors")

    assert [await code_of(surround, busy) for _ in range(9)] == ["RESOURCE_EXHAUSTED"] * 9
    codes = [await code_of(surround, answer) for _ in range(3)]
    assert codes == ["OK", "OK", "RESOURCE_EXHAUSTED"]


async def test_wrong_call_costs_one_whatever_it_holds() -> None:
    surround = make(None, gate_of(OneCaller(calls_per_s=0.001, burst_calls=3)))
    wrapped: Any = surround.wrap(BATCH, answer)
    for elements, told in ((3000, "3000"), (2_000_000, r"\d+ or more")):
        context = Waiting(data=b"\x0a\x00" * elements)
        with pytest.raises(Aborted, match=f"requests: expected 1 to 256 elements, got {told}$"):
            await wrapped.stream_unary(None, context)
        assert context.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [await code_of(surround, answer) for _ in range(2)] == ["OK", "RESOURCE_EXHAUSTED"]


async def test_refused_elements_of_a_batch_are_paid_back() -> None:
    surround = make(None, gate_of(OneCaller(calls_per_s=0.001, burst_calls=5)))

    def half(request: object) -> EmbedItemResponse:
        CURRENT.get().element_reasons = ("OVERLOADED", "OVERLOADED", "ITEM_UNKNOWN")
        return EmbedItemResponse()

    wrapped: Any = surround.wrap(BATCH, half)
    request = BatchEmbedItemsRequest(requests=[EmbedItemRequest(item_id="a")] * 4)
    await wrapped.stream_unary(None, Waiting(data=request.SerializeToString()))
    codes = [await code_of(surround, answer) for _ in range(4)]
    assert codes == ["OK"] * 3 + ["RESOURCE_EXHAUSTED"]


@pytest.mark.parametrize("data", [b"\xff\xff", b"\x0a" * 5000, b"\x1f\x8b nothing of gzip"])
async def test_bytes_that_are_no_message_are_the_callers_fault(data: bytes) -> None:
    assert await code_of(make(), answer, data) == "INVALID_ARGUMENT"
