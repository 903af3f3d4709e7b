"""How the supervisor and a worker speak: a JSON object a line, over a pair of sockets.

The supervisor asks, the worker answers, each question by its number. When one end dies the other
reads the end of the stream, whatever killed it.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Literal

from server.exit_codes import FAULT
from server.exits import status_of

Verb = Literal["open", "listen", "prepare", "swap", "drop", "drain"]
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
    """The worker ended before it answered."""

    def __init__(self) -> None:
        super().__init__("the worker ended before it answered")


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
            WorkerGoneError: it ended.
        """
        question = Question(next(self._numbers), verb, about)
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting[question.number] = future
        if self._listening.done():
            raise WorkerGoneError
        try:
            self._writer.write(_line(asdict(question)))
            return await future
        finally:
            self._waiting.pop(question.number, None)

    async def close(self) -> None:
        """Close this end, which ends a worker that still lives."""
        self._writer.close()
        await self._listening

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for told in _lines(reader):
            future = self._waiting.get(told["number"])
            if future is None or future.done():
                continue
            if "error" in told:
                future.set_exception(WorkerError(told["error"], told["status"]))
            else:
                future.set_result(told)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(WorkerGoneError())


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
        except Exception as error:  # noqa: BLE001 - the supervisor hears of whatever it was
            told = {"error": str(error) or type(error).__name__, "status": status_of(error)}
        writer.write(_line({"number": question.number} | told))

    async with asyncio.TaskGroup() as tasks:
        async for told in _lines(reader):
            tasks.create_task(one(Question(**told)))
    writer.close()


async def open_end(end: socket.socket) -> Asking:
    """Take the supervisor's end of a pair."""
    return Asking(*await asyncio.open_connection(sock=end))


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[Told]:
    try:
        while line := await reader.readline():
            yield json.loads(line)
    except ConnectionError:  # the other end was killed
        return


def _line(content: Told) -> bytes:
    return json.dumps(content).encode() + b"\n"
