"""grpc.health.v1, which everybody may ask without credentials, and so in few words."""

import asyncio
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2

from server.errors import ServiceError
from server.message_reader import Context, MessageReader

SERVICE: str = health.SERVICE_NAME
MOST_BYTES = 256
"""Longest request; it holds the name of a service."""
MOST_WATCHERS = 1000
"""Calls of Watch at once; one stays open for as long as its caller likes."""


Status = health_pb2.HealthCheckResponse.ServingStatus
SERVING, NOT_SERVING, UNKNOWN = (
    health_pb2.HealthCheckResponse.SERVING,
    health_pb2.HealthCheckResponse.NOT_SERVING,
    health_pb2.HealthCheckResponse.SERVICE_UNKNOWN,
)


class Health:
    """Says what serves; for one event loop.

    grpcio's own servicer writes to a watcher under a lock that every change of the status needs, so
    that one client that does not read would keep others from hearing of a drain, and the drain from
    going on. Here nothing waits for a watcher.
    """

    def __init__(self, max_bytes: int, timeout_s: float) -> None:
        # Its own: anybody may send long messages here, and known callers do not wait for them.
        self._reader = MessageReader(max_bytes, timeout_s)
        self._statuses: dict[str, Status] = {"": SERVING}
        self._changed = asyncio.Event()
        self._over = False
        self._watchers = 0

    def set(self, service: str, status: Status) -> None:
        """Set the status of a service."""
        self._statuses[service] = status
        self._tell()

    def enter_graceful_shutdown(self) -> None:
        """Say NOT_SERVING of every service from now on."""
        self._statuses = dict.fromkeys(self._statuses, NOT_SERVING)
        self._tell()

    def end_watches(self) -> None:
        """Let the calls of Watch end, once they have told the last status."""
        self._over = True
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Make what gRPC calls."""
        write = health_pb2.HealthCheckResponse.SerializeToString
        check: Any = self._check  # coroutine functions, which the stubs cannot say
        watch: Any = self._watch
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": grpc.stream_unary_rpc_method_handler(check, None, write),
                "Watch": grpc.stream_stream_rpc_method_handler(watch, None, write),
            },
        )

    async def _check(self, messages: object, context: Context) -> health_pb2.HealthCheckResponse:
        request = await self._request(context) or await _refuse(context)
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "expected the name of a service")
        return health_pb2.HealthCheckResponse(status=status)

    async def _watch(self, messages: object, context: Context) -> None:
        request = await self._request(context) or await _refuse(context)
        if self._watchers >= MOST_WATCHERS:
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
            await context.abort(code, f"all {MOST_WATCHERS} places of Watch are taken")
        self._watchers += 1
        try:
            await self._tell_changes(request.service, context)
        finally:
            self._watchers -= 1

    async def _tell_changes(self, service: str, context: Context) -> None:
        told: Status | None = None
        while True:
            changed, status = self._changed, self._statuses.get(service, UNKNOWN)
            if status != told:
                await context.write(health_pb2.HealthCheckResponse(status=status))
                told = status
            elif self._over:
                return
            else:
                await changed.wait()

    async def _request(self, context: Context) -> health_pb2.HealthCheckRequest | None:
        """Read a request; None where it is none, or does not come."""
        try:
            data = await self._reader.read(context)
        except ServiceError:
            return None
        if data is None or len(data) > MOST_BYTES:
            return None
        try:
            return health_pb2.HealthCheckRequest.FromString(data)
        except DecodeError:
            return None


async def _refuse(context: Context) -> NoReturn:
    """End a call, with no request in any frame that gRPC keeps; see `server.surround.abort`."""
    problem = f"expected a HealthCheckRequest of at most {MOST_BYTES} bytes"
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
    raise AssertionError("abort raises")
