"""The supervisor's own port, for operators: AdminService and health."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from nearfield.v1 import admin_pb2 as pb
from server.errors import InvalidRequestError, PortTakenError, Violation
from server.methods import ADMIN_METHODS, ADMIN_SERVICE
from server.security.gate import Gate, open_gate
from server.security.roles import check_role, role_needed
from server.settings import Settings
from server.supervision.admin_service import AdminService
from server.supervision.supervisor import Supervisor
from server.surround import NO_MESSAGE, Context, Surround, Watcher, abort, handler_of

log = logging.getLogger(__name__)

PUBLISH = "PublishGeneration"
DEADLINE_MS = 600_000
"""Of calls that come without one: a large generation takes minutes to be tried."""


class AdminApp:
    """Serves operators; `start`, then `stop`. For one event loop."""

    def __init__(
        self, supervisor: Supervisor, settings: Settings, *, watchers: Sequence[Watcher] = ()
    ) -> None:
        self._settings = settings
        self._gate = open_gate(settings.security, settings.host)
        self._service = AdminService(supervisor)
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.limits.max_request_bytes),
                ("grpc.so_reuseport", 0),
            ]
        )
        limits = settings.limits.model_copy(update={"default_deadline_ms": DEADLINE_MS})
        surround = Surround(limits, self._gate, watchers)
        handlers = {
            method.name: surround.wrap(method, handler_of(getattr(self._service, method.name)))
            for method in ADMIN_METHODS.values()
        }
        handlers[PUBLISH] = _publish_handler(self._service, self._gate)
        generic = grpc.method_handlers_generic_handler(ADMIN_SERVICE, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        add_health: Any = health_pb2_grpc.add_HealthServicer_to_server  # has no types
        add_health(self._health, self._server)
        self.port = 0
        """Where it listens, once it does."""

    async def start(self) -> None:
        """Listen.

        Raises:
            PortTakenError: the address cannot be listened on.
        """
        host = self._settings.host
        address = f"{f'[{host}]' if ':' in host else host}:{self._settings.admin_port}"
        try:
            self.port = self._gate.listen(self._server, address)
        except RuntimeError as error:
            raise PortTakenError(address) from error
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        log.info("operators are served on port %d", self.port)

    async def stop(self) -> None:
        """Finish what has begun, then close."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(self._settings.grace_s)


def _publish_handler(service: AdminService, gate: Gate) -> "grpc.RpcMethodHandler[Any, Any]":
    """Surround the one call that is a stream: who calls, and what becomes of errors."""
    needed = role_needed(f"/{ADMIN_SERVICE}/{PUBLISH}")

    async def publish(
        requests: AsyncIterator[pb.PublishGenerationRequest | None], context: Context
    ) -> pb.PublishGenerationResponse:
        try:
            metadata = context.invocation_metadata()
            caller = gate.authenticator.authenticate(metadata, context.auth_context)
            check_role(caller, needed)
            return await service.publish(_readable(requests))
        except grpc.aio.AbortError:
            raise
        except Exception as error:  # noqa: BLE001 - the table has a row for the unexpected
            await abort(context, error, uuid4().hex)
        raise AssertionError("abort raises")

    behavior: Any = publish  # a coroutine function, which the stubs cannot say
    return grpc.stream_unary_rpc_method_handler(
        behavior,
        _read,
        pb.PublishGenerationResponse.SerializeToString,
    )


def _read(data: bytes) -> pb.PublishGenerationRequest | None:
    """Read a message of the stream; gRPC would call one that is none a fault of ours."""
    try:
        return pb.PublishGenerationRequest.FromString(data)
    except DecodeError:
        return None


async def _readable(
    requests: AsyncIterator[pb.PublishGenerationRequest | None],
) -> AsyncIterator[pb.PublishGenerationRequest]:
    async for request in requests:
        if request is None:
            raise InvalidRequestError((Violation("request", NO_MESSAGE),))
        yield request
