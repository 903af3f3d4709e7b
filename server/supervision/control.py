"""How the supervisor and a worker speak: JSON objects in frames, over a pair of sockets.

A frame is its length, four bytes of it, and a JSON object of at most MOST_BYTES. The supervisor
asks, the worker answers, each question by its number. When one end dies the other reads the end of
the stream, whatever killed it; a frame that breaks the form ends the link in the same way.
"""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Literal

from server.exit_codes import FAULT
from server.exits import status_of

log = logging.getLogger(__name__)

MOST_BYTES = 1 << 20
"""Longest frame. What is longer is not read."""
MOST_ERROR_CHARS = 10_000
"""Longest text of an error; a character is at most twelve bytes of JSON."""
_LENGTH = struct.Struct(">I")

Verb = Literal["open", "listen", "prepare", "swap", "drop", "ping"]
Told = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """Something that a worker is to do."""

    number: int
    verb: Verb
    about: str = ""
    """Path or name of the generation that it is about; the port for listen."""


class WorkerError(Exception):
    """A worker could not do what it was asked to.

    `status` is what the program ends with where that keeps it from serving.
    """

    def __init__(self, message: str, status: int = FAULT) -> None:
        self.status = status
        super().__init__(message)


class WorkerGoneError(WorkerError):
    """The worker ended, or its link did, before it answered."""

    def __init__(self) -> None:
        super().__init__("the worker ended before it answered")


class WorkerHungError(WorkerError):
    """The worker did not answer in time."""

    def __init__(self, verb: Verb, seconds: float) -> None:
        super().__init__(f"the worker did not answer to {verb} within {seconds:g} s")


class Asking:
    """The supervisor's end; for one event loop."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Told]] = {}
        self._listening = asyncio.get_running_loop().create_task(self._listen(reader))

    async def ask(self, verb: Verb, about: str = "") -> Told:
        """Ask, and wait for the answer.

        Raises:
            WorkerError: the worker could not do it.
            WorkerGoneError: it ended, or the link did.
        """
        question = Question(next(self._numbers), verb, about)
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        if self._listening.done():
            raise WorkerGoneError
        self._waiting[question.number] = future
        try:
            self._writer.write(_frame(asdict(question)))
            return await future
        finally:
            self._waiting.pop(question.number, None)

    async def close(self) -> None:
        """Close this end, which ends a worker that still lives."""
        self._writer.close()
        self._listening.cancel()  # the other end may be stopped, and never close its own
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            async for told in _frames(reader):
                self._take(told)
        finally:
            self._writer.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(WorkerGoneError())

    def _take(self, told: Told) -> None:
        future = self._waiting.get(told.get("number", -1))
        if future is None or future.done():
            return
        if "error" in told:
            future.set_exception(WorkerError(str(told["error"]), int(told.get("status", FAULT))))
        else:
            future.set_result(told)


async def answer_all(
    end: socket.socket, answer: Callable[[Question], Awaitable[Told | None]]
) -> None:
    """Answer the supervisor's questions side by side until its end is closed.

    What `answer` raises is told to the supervisor.
    """
    reader, writer = await asyncio.open_connection(sock=end)

    async def one(question: Question) -> None:
        told: Told
        try:
            told = await answer(question) or {}
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - the supervisor hears of whatever it was
            text = str(error) or type(error).__name__
            told = {"error": text[:MOST_ERROR_CHARS], "status": status_of(error)}
        writer.write(_frame({"number": question.number} | told))

    async with asyncio.TaskGroup() as tasks:
        async for told in _frames(reader):
            tasks.create_task(one(Question(**told)))
    writer.close()


async def open_end(end: socket.socket) -> Asking:
    """Take the supervisor's end of a pair."""
    return Asking(*await asyncio.open_connection(sock=end))


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[Told]:
    """Read what the other end says, until it ends or breaks the form."""
    while True:
        try:
            (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
            if length > MOST_BYTES:
                log.error("a frame of %d bytes, expected at most %d", length, MOST_BYTES)
                return
            told = json.loads(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):  # the other end was closed or killed
            return
        except (ValueError, RecursionError):
            log.error("a frame is no JSON")
            return
        if not isinstance(told, dict):
            log.error("a frame is no JSON object")
            return
        yield told


def _frame(content: Told) -> bytes:
    data = json.dumps(content).encode()
    assert len(data) <= MOST_BYTES, "questions, answers and errors that were cut are shorter"
    return _LENGTH.pack(len(data)) + data
