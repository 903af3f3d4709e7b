"""Performs the steps of operations by blocking."""

import threading
from collections.abc import Sequence
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from nearfield.addresses import addresses_of
from nearfield.channel import Route, routes
from nearfield.errors import ClientClosedError, NearfieldError
from nearfield.health import CHECK
from nearfield.options import Options
from nearfield.rota import Rota
from nearfield.rpcs import RPCS, serialized
from nearfield.statuses import error_of_call, passed_over
from nearfield.steps import Call, Pause, Steps

T = TypeVar("T")


class GivenUpError(Exception):
    """Nobody waits any longer for what an errand was to bring."""


class Errand:
    """Calls and pauses that somebody can walk away from, in other threads."""

    def __init__(self) -> None:
        self.given_up = False
        self.calls: set[Any] = set()  # grpc.Future, whose stubs lack cancel


class Wire:
    """The channels of a client, and how steps are performed over them.

    Safe to share between threads. Nothing is sent before the first step.
    """

    def __init__(self, target: str | Sequence[str], options: Options) -> None:
        addresses = addresses_of(target)
        options.connection.check_token(addresses)
        self._connection = options.connection
        self._changed = threading.Condition()
        self._closed = False
        self._routes = routes(addresses, options)
        self._channels = [_channel(each, options) for each in self._routes]
        self._methods = [_methods(channel) for channel in self._channels]
        self.rota = Rota(len(self._channels))

    def close(self) -> None:
        """Close the connections; calls and pauses under way end with ClientClosedError."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for channel in self._channels:
            channel.close()

    def give_up(self, errand: Errand) -> None:
        """Let calls and pauses of an errand end with GivenUpError, now and from now on."""
        with self._changed:
            errand.given_up = True
            calls = tuple(errand.calls)
            self._changed.notify_all()
        for call in calls:
            call.cancel()

    def run(self, steps: Steps[T], errand: Errand | None = None) -> T:
        """Perform the steps of an operation, one after the other, and give its result."""
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._perform(step, errand)
                except NearfieldError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, step: Call | Pause, errand: Errand | None) -> Message | None:
        self._check_wanted(errand)
        if isinstance(step, Pause):
            with self._changed:
                self._changed.wait_for(lambda: self._unwanted(errand), step.seconds)
            return None
        place = self.rota.take()
        try:
            answer = self._send(step, place, errand)
        except (grpc.RpcError, ValueError) as error:
            self._check_wanted(errand, error)
            if not isinstance(error, grpc.Call):
                raise
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

    def _send(self, step: Call, place: int, errand: Errand | None) -> Message:
        """Send a request and wait; a call of an errand can be cancelled meanwhile."""
        method = self._methods[place][step.rpc.path]
        given = {
            "timeout": step.timeout_s,
            "metadata": self._connection.metadata_for(step.rpc.path),
        }
        if errand is None:
            answer: Message = method(step.request, **given)
            return answer
        with self._changed:
            self._check_wanted(errand)
            call = method.future(step.request, **given)
            errand.calls.add(call)
        try:
            answer = call.result()
        except grpc.FutureCancelledError as error:
            raise call from error  # which tells who cancelled it: it may have been the server
        finally:
            with self._changed:
                errand.calls.discard(call)
        return answer

    def _unwanted(self, errand: Errand | None) -> bool:
        return self._closed or (errand is not None and errand.given_up)

    def _check_wanted(self, errand: Errand | None, cause: Exception | None = None) -> None:
        if errand is not None and errand.given_up:
            raise GivenUpError from cause
        if self._closed:
            raise ClientClosedError("the client is closed") from cause


def _methods(channel: grpc.Channel) -> dict[str, Any]:
    """Give the calls of a channel by where they go."""
    return {
        rpc.path: channel.unary_unary(
            rpc.path, request_serializer=serialized, response_deserializer=rpc.answer.FromString
        )
        for rpc in (*RPCS, CHECK)
    }


def _channel(route: Route, options: Options) -> grpc.Channel:
    credentials = options.connection.channel_credentials()
    if credentials is None:
        return grpc.insecure_channel(route.target, route.arguments)
    return grpc.secure_channel(route.target, credentials, route.arguments)
