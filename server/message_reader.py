"""Reads the messages of calls: a few at a time, so that bodies cannot fill the memory.

gRPC hands a call to Python when its headers are there. Until somebody reads it, a message stays
with its sender but for one window of HTTP/2, 64 KiB, because the server does not let windows grow
(READING_OPTIONS). So a call that is refused before it is read costs next to nothing.
"""

import asyncio
import zlib
from collections import deque
from dataclasses import dataclass
from typing import Any, TypeAlias

import grpc

from server.errors import InvalidRequestError, MessageLateError, OverloadedError, Violation

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

AT_ONCE = 4
"""Messages that are read at once. Those of most calls come with their headers and take no time; a
long one is in memory twice for a moment, in gRPC's pieces and as a whole."""
SLOW = 2
"""Messages of slow senders that are read beside these."""
BRISK_S = 0.1
"""Seconds after which a sender is slow and makes way for others."""
LOOK_S = 0.05
"""Seconds between two looks at who is slow."""
READING_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.http2.bdp_probe", 0),
    # It would decompress a message, to whatever length it has, before anybody is asked.
    ("grpc.per_message_decompression", 0),
    ("grpc.compression_enabled_algorithms_bitset", 0b101),  # none and gzip
)
"""Options of the gRPC servers whose messages are read here."""
GZIP = b"\x1f\x8b"
"""Begin of what gzip has compressed; no message of protobuf begins so."""
NO_MESSAGE = "expected a message of this call, in UTF-8; the bytes are none"


@dataclass(eq=False, slots=True)
class _Turn:
    """One message that is being read."""

    task: "asyncio.Task[Any]"
    began: float
    slow: bool = False
    refusal: Exception | None = None
    """Why it is not read any further."""


class MessageReader:
    """Reads raw messages; for one event loop.

    At most AT_ONCE messages are read at once, in the order in which they were asked for. One that
    takes longer than BRISK_S makes way for the next and is read on beside it. Where SLOW of them
    are there already, it is refused.
    """

    def __init__(self, max_bytes: int, timeout_s: float) -> None:
        self._max_bytes = max_bytes
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._free = AT_ONCE
        self._free_slow = SLOW
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns: set[_Turn] = set()
        self._looking = False

    async def read(self, context: Context) -> bytes | None:
        """Read the next message of a call, decompressed; None where there is no other.

        Raises:
            OverloadedError: it comes slowly, and as many slow ones as are read at once are there.
            MessageLateError: it did not come in time.
            InvalidRequestError: it is longer than the limit once it is decompressed.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait()
        turn = _Turn(_current_task(), self._loop.time())
        self._turns.add(turn)
        if not self._looking:
            self._looking = True
            self._loop.call_later(LOOK_S, self._look)
        try:
            data = await context.read()
        except asyncio.CancelledError:
            if turn.refusal is None:
                raise  # the caller has left
            turn.task.uncancel()
            raise turn.refusal from None
        finally:
            self._turns.discard(turn)
            self._give_back(turn)
        if data is grpc.aio.EOF:
            return None
        raw: bytes = data
        return decompressed(raw, self._max_bytes)

    async def _wait(self) -> None:
        """Wait for a turn; when this returns it is taken."""
        waiter = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        """Give a turn to who waits longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1

    def _give_back(self, turn: _Turn) -> None:
        if turn.slow:
            self._free_slow += 1
        else:
            self._next()

    def _look(self) -> None:
        """Let slow senders make way, and give up on those that take too long."""
        now = self._loop.time()
        for turn in self._turns:
            took = now - turn.began
            if took > self._timeout_s:
                self._refuse(turn, MessageLateError(self._timeout_s))
            elif took > BRISK_S and not turn.slow:
                self._make_way(turn)
        if self._turns:
            self._loop.call_later(LOOK_S, self._look)
        else:
            self._looking = False

    def _make_way(self, turn: _Turn) -> None:
        if self._free_slow:
            self._free_slow -= 1
            turn.slow = True
            self._next()
        elif self._waiting:
            self._refuse(turn, OverloadedError(SLOW, "messages that come slowly"))

    def _refuse(self, turn: _Turn, refusal: Exception) -> None:
        if turn.refusal is None:
            turn.refusal = refusal
            turn.task.cancel()


def decompressed(data: bytes, max_bytes: int) -> bytes:
    """Decompress a message up to a limit; gRPC itself would do so before anybody is asked.

    Raises:
        InvalidRequestError: it is longer than the limit, or not what gzip has compressed.
    """
    if not data.startswith(GZIP):
        return data
    inflate = zlib.decompressobj(wbits=31)
    try:
        message = inflate.decompress(data, max_bytes + 1)
    except zlib.error:
        raise InvalidRequestError((Violation("request", NO_MESSAGE),)) from None
    if len(message) > max_bytes:
        problem = f"expected at most {max_bytes} bytes once it is decompressed, got more"
        raise InvalidRequestError((Violation("request", problem),))
    if not inflate.eof:
        raise InvalidRequestError((Violation("request", NO_MESSAGE),))
    return message


def _current_task() -> "asyncio.Task[Any]":
    task = asyncio.current_task()
    assert task is not None, "gRPC runs handlers in tasks"
    return task
