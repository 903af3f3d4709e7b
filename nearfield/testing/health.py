"""The fake's health service: whether it says that it serves."""

import threading
from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from nearfield.rpcs import serialized

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"
SERVING = 1
NOT_SERVING = 2

Tell = Callable[[Int32Value | None], None]


class FakeHealth(grpc.GenericRpcHandler):
    """Answers Check and Watch, for every service alike.

    On the wire their messages are a string and a number (see nearfield.health).
    """

    def __init__(self) -> None:
        self._serving = True
        self._watchers: set[Tell] = set()
        self._lock = threading.Lock()
        watch: Any = _unblocking(self._watch)
        self._handlers = {
            CHECK: grpc.unary_unary_rpc_method_handler(
                lambda request, context: self._answer(),
                request_deserializer=StringValue.FromString,
                response_serializer=serialized,
            ),
            WATCH: grpc.unary_stream_rpc_method_handler(
                watch,
                request_deserializer=StringValue.FromString,
                response_serializer=serialized,
            ),
        }

    @property
    def serving(self) -> bool:
        """Whether it says that it serves."""
        return self._serving

    @serving.setter
    def serving(self, serving: bool) -> None:
        with self._lock:
            self._serving = serving
            for tell in self._watchers:
                tell(self._answer())

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[StringValue, Message] | None":
        """Find the handler of a call."""
        return self._handlers.get(handler_call_details.method)

    def _answer(self) -> Int32Value:
        return Int32Value(value=SERVING if self._serving else NOT_SERVING)

    def _watch(self, request: StringValue, context: grpc.ServicerContext, tell: Tell) -> None:
        def left() -> None:
            with self._lock:
                self._watchers.discard(tell)
            tell(None)

        with self._lock:
            tell(self._answer())
            self._watchers.add(tell)
        context.add_callback(left)


def _unblocking(watch: Callable[..., None]) -> Callable[..., None]:
    """Mark a behaviour as one that keeps no thread; gRPC's own health service does so too."""

    def behaviour(request: StringValue, context: grpc.ServicerContext, tell: Tell) -> None:
        watch(request, context, tell)

    marked: Any = behaviour
    marked.experimental_non_blocking = True
    marked.experimental_thread_pool = None
    return behaviour
