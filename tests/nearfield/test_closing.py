"""Leaving early: closing, cancelling, many at once."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

import nearfield
from nearfield import AsyncClient, Client, Retry, Status
from nearfield.testing import FakeServer, Method
from tests.nearfield.conftest import Connect

ENDS_SOON_S = 5.0


def wait_until_called(server: FakeServer, method: Method) -> None:
    until = time.monotonic() + ENDS_SOON_S
    while not server.calls(method) and time.monotonic() < until:
        time.sleep(0.005)
    assert server.calls(method), f"nobody called {method}"


def wait_until_left(server: FakeServer, method: Method) -> None:
    until = time.monotonic() + ENDS_SOON_S
    while not server.left(method) and time.monotonic() < until:
        time.sleep(0.005)
    assert server.left(method) == 1


def test_closed_client_says_so(connect: Connect) -> None:
    client = connect()
    client.embed_item("book-1")
    client.close()

    with pytest.raises(nearfield.ClientClosedError):
        client.embed_item("book-1")


def test_closed_client_says_so_for_each_element_of_a_batch(connect: Connect) -> None:
    client = connect()
    client.close()

    batch = client.embed_items(["book-1", "book-2"])

    assert [type(each) for each in batch] == [nearfield.ClientClosedError] * 2


def test_closing_twice_is_closing_once(connect: Connect) -> None:
    client = connect()

    client.close()
    client.close()


def test_client_is_closed_after_its_with_block(server: FakeServer) -> None:
    with Client(server.target) as client:
        client.embed_item("book-1")

    with pytest.raises(nearfield.ClientClosedError):
        client.embed_item("book-1")


async def test_async_client_is_closed_after_its_with_block(server: FakeServer) -> None:
    async with AsyncClient(server.target) as client:
        await client.embed_item("book-1")

    with pytest.raises(nearfield.ClientClosedError):
        await client.embed_item("book-1")


def test_close_ends_calls_under_way_in_other_threads(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    client = Client(server.target)
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(client.embed_item, "book-1", timeout_s=30.0)
        wait_until_called(server, Method.EMBED_ITEM)
        client.close()

        error = waiting.exception(timeout=ENDS_SOON_S)

    assert type(error) is nearfield.ClientClosedError


def test_close_ends_pauses_in_other_threads(server: FakeServer) -> None:
    told = Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_delay_s=30.0)
    server.fail(Method.EMBED_ITEM, told)
    client = Client(server.target, retry=Retry(longest_told_wait_s=60.0))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.embed_item, "book-1", timeout_s=60.0)
        wait_until_called(server, Method.EMBED_ITEM)
        time.sleep(0.1)
        client.close()

        error = waiting.exception(timeout=ENDS_SOON_S)

    assert type(error) is nearfield.ClientClosedError


async def test_close_ends_calls_under_way_in_other_tasks(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    client = AsyncClient(server.target)
    waiting = asyncio.create_task(client.embed_item("book-1", timeout_s=30.0))
    await asyncio.to_thread(wait_until_called, server, Method.EMBED_ITEM)

    await client.close()

    with pytest.raises(nearfield.ClientClosedError):
        await asyncio.wait_for(waiting, ENDS_SOON_S)


async def test_close_ends_pauses_in_other_tasks(server: FakeServer) -> None:
    told = Status(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", retry_delay_s=30.0)
    server.fail(Method.EMBED_ITEM, told)
    client = AsyncClient(server.target, retry=Retry(longest_told_wait_s=60.0))
    waiting = asyncio.create_task(client.embed_item("book-1", timeout_s=60.0))
    await asyncio.to_thread(wait_until_called, server, Method.EMBED_ITEM)
    await asyncio.sleep(0.1)

    await client.close()

    with pytest.raises(nearfield.ClientClosedError):
        await asyncio.wait_for(waiting, ENDS_SOON_S)


async def test_cancelled_task_cancels_its_call_in_the_server(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    async with AsyncClient(server.target) as client:
        task = asyncio.create_task(client.embed_item("book-1", timeout_s=30.0))
        await asyncio.to_thread(wait_until_called, server, Method.EMBED_ITEM)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_until_left, server, Method.EMBED_ITEM)
        assert (await client.embed_user("user-1")).user_id == "user-1"


async def test_task_cancelled_while_its_client_closes_is_cancelled(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    client = AsyncClient(server.target)
    task = asyncio.create_task(client.embed_item("book-1", timeout_s=30.0))
    await asyncio.to_thread(wait_until_called, server, Method.EMBED_ITEM)

    task.cancel()
    await client.close()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_cancelled_batch_is_cancelled_and_not_an_outcome(server: FakeServer) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 30.0)
    async with AsyncClient(server.target) as client:
        task = asyncio.create_task(client.embed_items(["book-1"] * 1000))
        await asyncio.to_thread(wait_until_called, server, Method.BATCH_EMBED_ITEMS)

        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(wait_until_left, server, Method.BATCH_EMBED_ITEMS)
        assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 1


async def test_timeout_of_asyncio_is_asyncios_own_error(server: FakeServer) -> None:
    server.delay(Method.EMBED_ITEM, 30.0)
    async with AsyncClient(server.target) as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await client.embed_item("book-1")


async def test_tasks_share_one_client(server: FakeServer) -> None:
    async with AsyncClient(server.target) as client:
        asked = [f"book-{n % 20}" for n in range(200)]

        found = await asyncio.gather(*(client.embed_item(item_id) for item_id in asked))

    assert [each.item_id for each in found] == asked


def test_threads_share_one_client(server: FakeServer) -> None:
    asked = [f"book-{n % 20}" for n in range(200)]
    start = threading.Barrier(8)

    def ask(share: int) -> list[str]:
        start.wait(ENDS_SOON_S)
        single = [client.embed_item(item_id).item_id for item_id in asked[share::8]]
        batch = [each.item_id for each in client.embed_items(asked[share::8]).results()]
        assert single == batch
        return single

    with Client(server.target) as client, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(8)))

    assert found == [asked[share::8] for share in range(8)]


async def test_async_client_may_be_made_before_the_loop_runs(server: FakeServer) -> None:
    client = await asyncio.to_thread(AsyncClient, server.target)

    async with client:
        assert (await client.embed_item("book-1")).item_id == "book-1"
