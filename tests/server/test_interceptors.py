"""What surrounds a call, by itself; tests/server/test_app.py has it inside a running server."""

import asyncio
from typing import cast

import pytest

from nearfield.v1.embedding_pb2 import EmbedItemRequest, EmbedItemResponse
from server.calls import CURRENT, Call
from server.errors import DeadlinePassedError, OverloadedError
from server.interceptors import Context, Deadlines, Permits
from server.limits import Limits

KNOWN = EmbedItemRequest(item_id="a")


class Waiting:
    """The context of a call whose caller waits for some seconds more."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def time_remaining(self) -> float | None:
        return self._seconds


def context(seconds: float | None = None) -> Context:
    return cast("Context", Waiting(seconds))


class Inner:
    """A handler that remembers its calls and can be held up."""

    def __init__(self) -> None:
        self.deadlines: list[float] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def __call__(self, request: object, context: Context) -> EmbedItemResponse:
        self.deadlines.append(CURRENT.get().deadline)
        await self.hold.wait()
        return EmbedItemResponse()


@pytest.mark.parametrize("seconds", [0.0, -0.5])
async def test_deadline_already_passed_costs_no_work(seconds: float) -> None:
    CURRENT.set(Call("id", 0.0))
    inner = Inner()
    with pytest.raises(DeadlinePassedError):
        await Deadlines(Limits()).surround(KNOWN, context(seconds), inner)
    assert not inner.deadlines


async def test_handler_knows_the_callers_deadline_else_the_servers() -> None:
    CURRENT.set(Call("id", 0.0))
    inner = Inner()
    started = asyncio.get_running_loop().time()
    for seconds in (3.0, None):
        await Deadlines(Limits(default_deadline_ms=7000)).surround(KNOWN, context(seconds), inner)
    assert [each - started for each in inner.deadlines] == pytest.approx([3.0, 7.0], abs=0.5)


async def test_call_beyond_the_places_is_refused_until_one_is_free() -> None:
    CURRENT.set(Call("id", 0.0))
    permits = Permits(Limits(max_concurrent_calls=2))
    inner = Inner()
    inner.hold.clear()
    held = [asyncio.ensure_future(permits.surround(KNOWN, context(), inner)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError, match="2 places for calls are taken"):
        await permits.surround(KNOWN, context(), inner)
    assert len(inner.deadlines) == 2
    inner.hold.set()
    await asyncio.gather(*held)
    await permits.surround(KNOWN, context(), inner)


async def test_call_that_fails_gives_its_place_back() -> None:
    permits = Permits(Limits(max_concurrent_calls=1))

    async def fail(request: object, context: Context) -> EmbedItemResponse:
        raise ZeroDivisionError

    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            await permits.surround(KNOWN, context(), fail)
