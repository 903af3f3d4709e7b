"""What surrounds a call, by itself; tests/server/test_app.py has it inside a running server."""

import asyncio
from typing import Any, cast

import grpc
import pytest

from nearfield.v1.embedding_pb2 import EmbedItemRequest, EmbedItemResponse
from server.calls import CURRENT, Call
from server.errors import UnknownItemError
from server.limits import Limits
from server.methods import METHODS
from server.security.authenticator import Metadata
from server.security.gate import open_gate
from server.security.settings import SecuritySettings
from server.surround import Context, Handler, Later, Surround, handler_of

EMBED_ITEM = METHODS["/nearfield.v1.EmbeddingService/EmbedItem"]
OPEN = open_gate(SecuritySettings(authentication="off"), "127.0.0.1")
KNOWN = EmbedItemRequest(item_id="a", request_id="mine")


class Aborted(grpc.aio.AbortError):
    """As gRPC ends a handler."""


class Waiting:
    """The context of a call whose caller waits for some seconds more."""

    def __init__(self, seconds: float | None = None) -> None:
        self._seconds = seconds
        self.code: grpc.StatusCode | None = None

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    def time_remaining(self) -> float | None:
        return self._seconds

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: object) -> None:
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

    def began(self, call: Call, metadata: Metadata) -> None:
        self.began_calls.append(call.method.name)

    def ended(self, call: Call, code: grpc.StatusCode) -> None:
        self.ended_calls.append((call.request_id, code))


async def ask(
    surround: Surround,
    handler: Handler,
    context: Waiting | None = None,
) -> bytes:
    wrapped: Any = surround.wrap(EMBED_ITEM, handler)
    received = wrapped.request_deserializer(KNOWN.SerializeToString())
    answer: bytes = await wrapped.unary_unary(received, cast("Context", context or Waiting()))
    return answer


@pytest.mark.parametrize("seconds", [0.0, -0.5])
async def test_deadline_already_passed_costs_no_work(seconds: float) -> None:
    inner, context = Inner(), Waiting(seconds)
    with pytest.raises(Aborted, match="deadline passed"):
        await ask(Surround(Limits(), OPEN), inner, context)
    assert context.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not inner.deadlines


async def test_handler_knows_the_callers_deadline_else_the_servers() -> None:
    inner, surround = Inner(), Surround(Limits(default_deadline_ms=7000), OPEN)
    started = asyncio.get_running_loop().time()
    for seconds in (3.0, None):
        await ask(surround, inner, Waiting(seconds))
    assert [each - started for each in inner.deadlines] == pytest.approx([3.0, 7.0], abs=0.5)


async def test_call_beyond_the_places_is_refused_until_one_is_free() -> None:
    inner, surround = Inner(), Surround(Limits(max_concurrent_calls=2), OPEN)
    inner.hold.clear()
    held = [asyncio.ensure_future(ask(surround, inner)) for _ in range(2)]
    await asyncio.sleep(0)
    context = Waiting()
    with pytest.raises(Aborted, match="2 places for calls are taken"):
        await ask(surround, inner, context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert len(inner.deadlines) == 2
    inner.hold.set()
    await asyncio.gather(*held)
    await ask(surround, inner)


async def test_call_that_fails_gives_its_place_back() -> None:
    surround = Surround(Limits(max_concurrent_calls=1), OPEN)

    def fail(request: object) -> EmbedItemResponse:
        raise UnknownItemError("a")

    for _ in range(3):
        with pytest.raises(Aborted, match="no item 'a'"):
            await ask(surround, fail)


async def test_answers_at_once_and_later_and_in_bytes_are_alike() -> None:
    surround, answer = Surround(Limits(), OPEN), EmbedItemResponse()
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
    surround = Surround(Limits(), OPEN, [told])

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
