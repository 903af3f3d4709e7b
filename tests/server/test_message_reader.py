import asyncio
import gzip
from typing import Any, cast

import grpc
import pytest

from server import message_reader
from server.errors import InvalidRequestError, MessageLateError, OverloadedError
from server.message_reader import AT_ONCE, SLOW, Context, MessageReader


class Body:
    """A call whose message comes when it is sent."""

    def __init__(self, data: bytes = b"hello") -> None:
        self.sent = asyncio.Event()
        self.asked = False
        self._data = data

    async def read(self) -> Any:  # noqa: ANN401 - bytes, or the mark at the end
        self.asked = True
        await self.sent.wait()
        return self._data


class Ended:
    """A call with no other message."""

    async def read(self) -> Any:  # noqa: ANN401 - as above
        return grpc.aio.EOF


def begin(reader: MessageReader, body: Any) -> "asyncio.Task[bytes | None]":  # noqa: ANN401
    return asyncio.create_task(reader.read(cast("Context", body)))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders are slow at once."""
    monkeypatch.setattr(message_reader, "BRISK_S", 0.01)
    monkeypatch.setattr(message_reader, "LOOK_S", 0.005)


async def test_messages_are_read_a_few_at_a_time_in_their_order() -> None:
    reader = MessageReader(100, timeout_s=10)
    bodies = [Body() for _ in range(AT_ONCE + 2)]
    tasks = [begin(reader, each) for each in bodies]
    await settle()
    assert [each.asked for each in bodies] == [True] * AT_ONCE + [False] * 2
    bodies[3].sent.set()
    await settle()
    assert [each.asked for each in bodies[AT_ONCE:]] == [True, False]
    for each in bodies:
        each.sent.set()
    assert await asyncio.gather(*tasks) == [b"hello"] * len(bodies)


async def test_caller_that_leaves_gives_its_turn_to_another() -> None:
    reader = MessageReader(100, timeout_s=10)
    tasks = [begin(reader, Body()) for _ in range(AT_ONCE)]
    waiting, last = begin(reader, Body()), Body()
    last.sent.set()
    await settle()
    task = begin(reader, last)
    await settle()
    for leaving in (waiting, *tasks):
        leaving.cancel()
    assert await task == b"hello"
    outcomes = await asyncio.gather(waiting, *tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in outcomes)


@pytest.mark.usefixtures("hasty")
async def test_slow_senders_make_way_and_are_read_on_beside_the_others() -> None:
    reader = MessageReader(100, timeout_s=10)
    slow = [Body() for _ in range(SLOW)]
    tasks = [begin(reader, each) for each in slow]
    brisk = Body()
    brisk.sent.set()
    assert await asyncio.wait_for(begin(reader, brisk), 5) == b"hello"
    for each in slow:
        each.sent.set()
    assert await asyncio.gather(*tasks) == [b"hello"] * SLOW


@pytest.mark.usefixtures("hasty")
async def test_no_number_of_slow_senders_keeps_others_out() -> None:
    reader = MessageReader(100, timeout_s=10)
    tasks = [begin(reader, Body()) for _ in range(5 * (SLOW + AT_ONCE))]
    brisk = Body()
    brisk.sent.set()
    assert await asyncio.wait_for(begin(reader, brisk), 5) == b"hello"
    refused = [each for each in tasks if each.done()]
    assert len(refused) >= len(tasks) - SLOW - AT_ONCE
    assert all(isinstance(each.exception(), OverloadedError) for each in refused)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.usefixtures("hasty")
async def test_message_that_does_not_come_is_given_up() -> None:
    reader = MessageReader(100, timeout_s=0.03)
    with pytest.raises(MessageLateError, match=r"within 0\.03 s"):
        await begin(reader, Body())
    later = Body()
    later.sent.set()
    assert await begin(reader, later) == b"hello"


async def test_end_of_a_stream_is_none() -> None:
    assert await begin(MessageReader(100, timeout_s=10), Ended()) is None


async def test_what_gzip_has_compressed_is_read_up_to_the_limit() -> None:
    reader = MessageReader(1000, timeout_s=10)

    async def read(data: bytes) -> bytes | None:
        body = Body(data)
        body.sent.set()
        return await begin(reader, body)

    assert await read(gzip.compress(b"x" * 1000)) == b"x" * 1000
    with pytest.raises(InvalidRequestError, match="at most 1000 bytes once it is decompressed"):
        await read(gzip.compress(b"x" * 10**7))
    for broken in (gzip.compress(b"hello")[:-9], b"\x1f\x8bnonsense"):
        with pytest.raises(InvalidRequestError, match="expected a message"):
            await read(broken)
