"""Performs the steps of operations by awaiting."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from nearfield.addresses import addresses_of
from nearfield.channel import Route, routes
from nearfield.errors import ClientClosedError, EventLoopError, NearfieldError
from nearfield.health import CHECK
from nearfield.options import Options
from nearfield.rota import Rota
from nearfield.rpcs import RPCS, serialized
from nearfield.statuses import error_of_call, passed_over
from nearfield.steps import Call, Pause, Steps

T = TypeVar("T")


class AsyncWire:
    """The channels of an awaiting client, and how steps are performed over them.

    They are made at the first step, because a channel belongs to the loop that is running, and made
    anew where that one was closed and another is running.
    """

    def __init__(self, target: str | Sequence[str], options: Options) -> None:
        addresses = addresses_of(target)
        options.connection.check_token(addresses)
        self._routes = routes(addresses, options)
        self._connection = options.connection
        self._credentials = options.connection.channel_credentials()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = asyncio.Event()
        self._channels: list[grpc.aio.Channel] = []
        self._methods: list[dict[str, Any]] = []
        self.rota = Rota(len(self._routes))

    async def close(self) -> None:
        """Close the connections; calls and pauses under way end with ClientClosedError."""
        self._enter_loop()
        self._closed.set()
        for channel in self._channels:
            await channel.close()

    async def run(self, steps: Steps[T]) -> T:
        """Perform the steps of an operation, one after the other, and give its result.

        Raises:
            EventLoopError: another loop than the one that is running has the channels.
        """
        self._enter_loop()
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._perform(step)
                except NearfieldError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _enter_loop(self) -> None:
        """Belong to the loop that is running, where that of the calls before is closed."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and not self._loop.is_closed():
            raise EventLoopError(
                "this AsyncClient was first used in another event loop, which is not closed: make "
                "one client in each loop, or use Client, which any number of threads may share"
            )
        if self._loop is not None and not self._closed.is_set():
            self._closed = asyncio.Event()  # the old one belongs to the old loop, as channels do
        self._loop, self._channels = loop, []

    async def _perform(self, step: Call | Pause) -> Message | None:
        if self._closed.is_set():
            raise ClientClosedError("the client is closed")
        if isinstance(step, Pause):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closed.wait(), step.seconds)
            return None
        place = self.rota.take()
        try:
            answer = await self._send(step, place)
        except grpc.aio.AioRpcError as error:
            failed = error_of_call(
                error.code(),
                error.details() or "",
                error.trailing_metadata() or (),
                step.request_id,
                self._routes[place].proxy,
            )
            self.rota.note(place, there=not passed_over(failed))
            raise failed from error
        self.rota.note(place, there=True)
        return answer

    async def _send(self, step: Call, place: int) -> Message:
        method = self._method(step.rpc.path, place)
        metadata = self._connection.metadata_for(step.rpc.path)
        try:
            answer: Message = await method(step.request, timeout=step.timeout_s, metadata=metadata)
        except asyncio.CancelledError as error:
            if self._closed.is_set() and not _cancelled_by_caller():
                raise ClientClosedError("the client was closed during the call") from error
            raise
        except grpc.aio.UsageError as error:
            raise ClientClosedError("the client was closed during the call") from error
        return answer

    def _method(self, path: str, place: int) -> Any:  # noqa: ANN401  typed by its rpc
        """Connect where that was not done yet."""
        if not self._channels:
            self._channels = [self._channel(each) for each in self._routes]
            self._methods = [_methods(channel) for channel in self._channels]
        return self._methods[place][path]

    def _channel(self, route: Route) -> grpc.aio.Channel:
        if self._credentials is None:
            return grpc.aio.insecure_channel(route.target, route.arguments)
        return grpc.aio.secure_channel(route.target, self._credentials, route.arguments)


def _methods(channel: grpc.aio.Channel) -> dict[str, Any]:
    """Give the calls of a channel by where they go."""
    return {
        rpc.path: channel.unary_unary(
            rpc.path, request_serializer=serialized, response_deserializer=rpc.answer.FromString
        )
        for rpc in (*RPCS, CHECK)
    }


def _cancelled_by_caller() -> bool:
    """Tell a task that was cancelled from a call that the channel's closing cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
