"""One AsyncClient and several event loops: one after the other, and side by side."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import grpc
import pytest

import nearfield
from nearfield import AsyncClient, Retry, Status
from nearfield.testing import FakeServer, Method
from tests.nearfield.conftest import QUICK

FULL = Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_delay_s=0.01)

Do = Callable[[AsyncClient], Awaitable[object]]


async def take_stream(client: AsyncClient) -> object:
    return [found async for found in client.embed_items_stream(["book-1"])]


CALLS: dict[str, Do] = {
    "call": lambda client: client.embed_item("book-1"),
    "batch": lambda client: client.embed_items(["book-1"]),
    "stream": take_stream,
    "ready": lambda client: client.wait_until_ready(5.0),
    "close": lambda client: client.close(),
}


@pytest.fixture
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(params=list(CALLS))
def do(request: pytest.FixtureRequest) -> Do:
    return CALLS[request.param]


def test_client_goes_on_in_the_next_loop_when_its_own_is_closed(server: FakeServer) -> None:
    client = AsyncClient(server.target, retry=QUICK)

    async def ask() -> list[str]:
        server.fail(Method.EMBED_ITEM, FULL)  # a pause that belongs to a loop, too
        one = await client.embed_item("book-1")
        many = await client.embed_items(["book-2", "book-3"])
        streamed = [item_id async for item_id, _ in client.embed_items_stream(["book-4"])]
        return [one.item_id, *(each.item_id for each in many.results()), *streamed]

    asked = [asyncio.run(ask()) for _ in range(3)]
    asyncio.run(client.close())

    assert asked == [["book-1", "book-2", "book-3", "book-4"]] * 3


def test_client_that_was_closed_in_one_loop_is_closed_in_the_next(server: FakeServer) -> None:
    client = AsyncClient(server.target)

    async def use_and_close() -> None:
        async with client:
            await client.embed_item("book-1")

    asyncio.run(use_and_close())
    asyncio.run(client.close())

    with pytest.raises(nearfield.ClientClosedError):
        asyncio.run(use_and_close())


async def test_client_in_use_in_another_loop_says_so_and_what_to_do(
    server: FakeServer, other_loop: asyncio.AbstractEventLoop, do: Do
) -> None:
    client = AsyncClient(server.target, retry=Retry())
    first = asyncio.run_coroutine_threadsafe(client.embed_item("book-1"), other_loop)
    await asyncio.wrap_future(first)

    with pytest.raises(nearfield.EventLoopError, match="one client in each loop, or use Client"):
        await do(client)

    again = asyncio.run_coroutine_threadsafe(client.embed_item("book-1"), other_loop)
    assert (await asyncio.wrap_future(again)).item_id == "book-1"
    closing = asyncio.run_coroutine_threadsafe(client.close(), other_loop)
    await asyncio.wrap_future(closing)
