"""A nearfield server inside the process, for tests of what calls nearfield."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import grpc
from google.protobuf.message import Message

from nearfield.errors import Status, StatusError, error_of
from nearfield.rpcs import serialized
from nearfield.server_info import Limits
from nearfield.testing.dispatch import REQUESTS, Dispatcher, Method
from nearfield.testing.health import FakeHealth
from nearfield.testing.limits import USUAL_LIMITS
from nearfield.testing.refusals import trailers
from nearfield.testing.world import FakeWorld


@dataclass(frozen=True)
class FakeCall:
    """One call that reached the fake."""

    request: Message
    """What was asked: a message of nearfield.v1."""
    metadata: Mapping[str, str | bytes]
    """What came with it, for example an API key."""
    timeout_s: float | None
    """How long the caller was still waiting, in seconds; None for ever."""
    peer: str
    """The caller's end of the connection."""


class FakeServer:
    """A real gRPC server on a port of this machine, with answers that follow from a FakeWorld.

        with FakeServer() as server, nearfield.Client(server.target) as client:
            client.recommend("user-7")

    Answers are the same each time. What else shall happen is said before: `fail`, `fail_id`,
    `delay`, `answer_with`; what happened is in `calls`. Every method may be used from any thread.
    """

    def __init__(
        self,
        world: FakeWorld | None = None,
        *,
        limits: Limits = USUAL_LIMITS,
        port: int = 0,
        port_shared: bool = False,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        """Start a server; port 0 takes a free one, and without credentials there is no TLS.

        A shared port is one that other processes may listen on too, as workers of a server do.
        """
        self.world = world or FakeWorld()
        self.limits = limits
        self._lock = threading.Lock()
        self._faults: defaultdict[Method, deque[Status]] = defaultdict(deque)
        self._id_faults: dict[str, Status] = {}
        self._delays: dict[Method, float] = {}
        self._overrides: dict[Method, Callable[[Message], Message]] = {}
        self._calls: defaultdict[Method, list[FakeCall]] = defaultdict(list)
        self._left: defaultdict[Method, int] = defaultdict(int)
        self._pool = futures.ThreadPoolExecutor(max_workers=16, thread_name_prefix="fake-nearfield")
        self._server = grpc.server(
            self._pool,
            options=[
                ("grpc.so_reuseport", int(port_shared)),
                ("grpc.max_receive_message_length", limits.max_request_bytes),
                ("grpc.max_send_message_length", limits.max_response_bytes),
            ],
        )
        self._health = FakeHealth()
        self._server.add_generic_rpc_handlers([_Handlers(self._serve), self._health])
        address = f"127.0.0.1:{port}"
        self.port = (
            self._server.add_secure_port(address, credentials)
            if credentials
            else self._server.add_insecure_port(address)
        )
        self._server.start()

    @property
    def target(self) -> str:
        """What to give to a client."""
        return f"127.0.0.1:{self.port}"

    @property
    def serving(self) -> bool:
        """Whether the health service says SERVING; calls are answered either way."""
        return self._health.serving

    @serving.setter
    def serving(self, serving: bool) -> None:
        self._health.serving = serving

    def stop(self) -> None:
        """Stop at once; calls under way end with UNAVAILABLE or CANCELLED."""
        self._server.stop(None).wait()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def fail(self, method: Method, status: Status, *, times: int = 1) -> None:
        """Let the next calls of a method end with a status."""
        with self._lock:
            self._faults[method].extend([status] * times)

    def fail_id(self, id_: str, status: Status) -> None:
        """Let whatever asks for an item or a user end with a status, alone or in a batch."""
        with self._lock:
            self._id_faults[id_] = status

    def delay(self, method: Method, seconds: float) -> None:
        """Let every answer of a method take its time."""
        with self._lock:
            self._delays[method] = seconds

    def answer_with(self, method: Method, answer: Callable[[Message], Message]) -> None:
        """Let a method answer by a function from its request to its response."""
        with self._lock:
            self._overrides[method] = answer

    def mend(self) -> None:
        """Take back every fault, delay and answer that was asked for."""
        with self._lock:
            for asked in (self._faults, self._id_faults, self._delays, self._overrides):
                asked.clear()

    def calls(self, method: Method) -> tuple[FakeCall, ...]:
        """Give the calls of a method that came so far, in their order, retries included."""
        with self._lock:
            return tuple(self._calls[method])

    def left(self, method: Method) -> int:
        """Count the calls of a method whose callers left before the answer."""
        with self._lock:
            return self._left[method]

    def _serve(self, method: Method, request: Message, context: grpc.ServicerContext) -> Message:
        with self._lock:
            metadata = dict(context.invocation_metadata())
            came = FakeCall(request, metadata, context.time_remaining(), context.peer())
            self._calls[method].append(came)
            status = self._faults[method].popleft() if self._faults[method] else None
            delay_s = self._delays.get(method, 0.0)
            override = self._overrides.get(method)
            dispatcher = Dispatcher(self.world, self.limits, dict(self._id_faults))
        self._take_time(method, delay_s, context)
        try:
            if status is not None:
                raise error_of(status)
            return override(request) if override else dispatcher.answer(request)
        except StatusError as error:
            context.set_trailing_metadata(trailers(error.status))
            context.abort(error.code, error.message)
            raise

    def _take_time(self, method: Method, delay_s: float, context: grpc.ServicerContext) -> None:
        """Wait, but no longer than the caller does."""
        over = threading.Event()
        if delay_s and not (context.add_callback(over.set) and not over.wait(delay_s)):
            with self._lock:
                self._left[method] += 1


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a call by where it goes."""

    def __init__(self, serve: Callable[[Method, Message, grpc.ServicerContext], Message]) -> None:
        self._handlers = {
            method.value: grpc.unary_unary_rpc_method_handler(
                partial(serve, method),
                request_deserializer=REQUESTS[method].FromString,
                response_serializer=serialized,
            )
            for method in Method
        }

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> "grpc.RpcMethodHandler[Message, Message] | None":
        return self._handlers.get(handler_call_details.method)
