"""grpc.health.v1, which everybody may ask without credentials, and so in few words."""

from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2

from server.message_reader import Context, MessageReader

SERVICE: str = health.SERVICE_NAME
MOST_BYTES = 256
"""Longest request; it holds the name of a service."""
MOST_WATCHERS = 1000
"""Calls of Watch at once; one stays open for as long as its caller likes."""


class Health:
    """Says what serves; for one event loop."""

    def __init__(self, max_bytes: int, timeout_s: float) -> None:
        # Anybody may send a long message here, so that the others do not wait for these.
        self._reader = MessageReader(max_bytes, timeout_s, at_once=1, slow=1)
        self._servicer: Any = health.aio.HealthServicer()  # has no types
        self._watchers = 0

    async def set(self, service: str, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        """Set the status of a service."""
        await self._servicer.set(service, status)

    async def enter_graceful_shutdown(self) -> None:
        """Say NOT_SERVING of every service from now on."""
        await self._servicer.enter_graceful_shutdown()

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
        answer: health_pb2.HealthCheckResponse = await self._servicer.Check(request, context)
        return answer

    async def _watch(self, messages: object, context: Context) -> None:
        request = await self._request(context) or await _refuse(context)
        if self._watchers >= MOST_WATCHERS:
            code = grpc.StatusCode.RESOURCE_EXHAUSTED
            await context.abort(code, f"all {MOST_WATCHERS} places of Watch are taken")
        self._watchers += 1
        try:
            await self._servicer.Watch(request, context)
        finally:
            self._watchers -= 1

    async def _request(self, context: Context) -> health_pb2.HealthCheckRequest | None:
        """Read a request; None where it is none."""
        data = await self._reader.read(context)
        if data is None or len(data) > MOST_BYTES:
            return None
        try:
            return health_pb2.HealthCheckRequest.FromString(data)
        except DecodeError:
            return None


async def _refuse(context: Context) -> NoReturn:
    problem = f"expected a HealthCheckRequest of at most {MOST_BYTES} bytes"
    await context.abort(grpc.StatusCode.INVALID_ARGUMENT, problem)
    raise AssertionError("abort raises")
