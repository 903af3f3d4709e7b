"""What goes over the link between the supervisor and a worker, and what ends it."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from server.supervision.control import (
    MOST_BYTES,
    MOST_ERROR_CHARS,
    Asking,
    Question,
    Told,
    WorkerError,
    WorkerGoneError,
    answer_all,
    open_end,
)


@asynccontextmanager
async def linked(
    answer: Callable[[Question], Awaitable[Told | None]],
) -> AsyncIterator[tuple[Asking, "asyncio.Task[None]"]]:
    """Link a supervisor's end to a worker's, which answers by a function."""
    ours, theirs = socket.socketpair()
    answering = asyncio.ensure_future(answer_all(theirs, answer))
    asking = await open_end(ours)
    async with asyncio.timeout(10):
        yield asking, answering
        await asking.close()
        await answering


@asynccontextmanager
async def raw() -> AsyncIterator[tuple[Asking, socket.socket]]:
    """Link a supervisor's end to a plain socket."""
    ours, theirs = socket.socketpair()
    asking = await open_end(ours)
    with theirs:
        async with asyncio.timeout(10):
            yield asking, theirs
            await asking.close()


async def test_questions_are_answered_side_by_side() -> None:
    let = asyncio.Event()

    async def answer(question: Question) -> Told | None:
        if question.verb == "prepare":
            await let.wait()
        return {"about": question.about} if question.about else None

    async with linked(answer) as (asking, _):
        slow = asyncio.ensure_future(asking.ask("prepare", "path"))
        assert (await asking.ask("ping")).keys() == {"number"}
        assert not slow.done()
        let.set()
        assert (await slow)["about"] == "path"


@pytest.mark.parametrize("error", [ValueError("x" * 1_000_000), ValueError("\U0001f600" * 100_000)])
async def test_however_long_an_error_is_it_arrives_cut(error: Exception) -> None:
    async def answer(question: Question) -> Told | None:
        raise error

    async with linked(answer) as (asking, _):
        with pytest.raises(WorkerError) as caught:
            await asking.ask("prepare")
        assert str(caught.value) == str(error)[:MOST_ERROR_CHARS]
        with pytest.raises(WorkerError):
            await asking.ask("swap")


async def test_what_is_no_exception_is_told_as_well() -> None:
    class Panic(BaseException):
        pass

    async def answer(question: Question) -> Told | None:
        raise Panic

    async with linked(answer) as (asking, _):
        with pytest.raises(WorkerError, match="Panic"):
            await asking.ask("prepare")


@pytest.mark.parametrize(
    "sent",
    [
        struct.pack(">I", MOST_BYTES + 1),
        struct.pack(">I", 4) + b"nope",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 100) + b"{",
        b"\0",
        b"",
    ],
)
async def test_nobody_waits_on_a_link_that_broke(sent: bytes) -> None:
    async with raw() as (asking, theirs):
        asked = asyncio.ensure_future(asking.ask("ping"))
        await asyncio.sleep(0)
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        with pytest.raises(WorkerGoneError):
            await asked
        with pytest.raises(WorkerGoneError):
            await asking.ask("ping")


async def test_answer_of_the_longest_length_is_taken() -> None:
    async with raw() as (asking, theirs):
        asked = asyncio.ensure_future(asking.ask("ping"))
        await asyncio.sleep(0)
        answer = json.dumps({"number": 0, "text": ""})
        answer = answer[:-2] + "x" * (MOST_BYTES - len(answer)) + answer[-2:]
        loop = asyncio.get_running_loop()
        theirs.setblocking(False)
        await loop.sock_sendall(theirs, struct.pack(">I", len(answer)) + answer.encode())
        assert len((await asked)["text"]) > 1_000_000


async def test_closing_does_not_wait_for_an_end_that_is_silent() -> None:
    async with raw() as (asking, _):
        asked = asyncio.ensure_future(asking.ask("prepare", "x" * 1_000_000))  # fills the buffers
        await asyncio.sleep(0)
        await asking.close()
        with pytest.raises(WorkerGoneError):
            await asked


@pytest.mark.parametrize("sent", [struct.pack(">I", MOST_BYTES + 1), struct.pack(">I", 1) + b"x"])
async def test_worker_ends_when_its_link_breaks(sent: bytes) -> None:
    async def answer(question: Question) -> Told | None:
        raise AssertionError("nothing was asked")

    ours, theirs = socket.socketpair()
    with ours:
        ours.sendall(sent)
        async with asyncio.timeout(10):
            await answer_all(theirs, answer)
