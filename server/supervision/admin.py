"""The supervisor's own port, for operators: AdminService and health."""

import logging
from collections.abc import Sequence

import grpc

from server.addresses import address_of
from server.app import KEEPALIVE_MIN_MS
from server.connections import connection_options
from server.errors import PortTakenError
from server.health import Health
from server.message_reader import READING_OPTIONS, MessageReader
from server.methods import ADMIN_METHODS, ADMIN_SERVICE, Method
from server.request_memory import RequestMemory
from server.security.gate import open_gate
from server.settings import Settings
from server.supervision.admin_service import AdminService
from server.supervision.ports import clear_away, make_room
from server.supervision.supervisor import Supervisor
from server.surround import RpcHandler, Surround, Watcher, handler_of

log = logging.getLogger(__name__)

DEADLINE_MS = 600_000
"""Of calls that come without one: a large generation takes minutes to be tried."""


class AdminApp:
    """Serves operators; `start`, then `stop`. For one event loop."""

    def __init__(
        self, supervisor: Supervisor, settings: Settings, *, watchers: Sequence[Watcher] = ()
    ) -> None:
        self._settings = settings
        self._gate = open_gate(settings.security, settings.admin_host)
        self._service = AdminService(supervisor)
        limits = settings.limits.model_copy(update={"default_deadline_ms": DEADLINE_MS})
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limits.max_request_bytes),
                *READING_OPTIONS,
                *connection_options(settings),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MIN_MS),
            ]
        )
        reader = MessageReader(limits.max_request_bytes, settings.message_timeout_s)
        memory = RequestMemory(settings.request_memory_bytes)
        surround = Surround(limits, self._gate, reader, memory, watchers)
        handlers = {
            method.name: self._wrapped(surround, method) for method in ADMIN_METHODS.values()
        }
        generic = grpc.method_handlers_generic_handler(ADMIN_SERVICE, handlers)
        self._health = Health(limits.max_request_bytes, settings.message_timeout_s)
        self._server.add_generic_rpc_handlers((generic, self._health.handlers()))
        self.port = 0
        """Where it listens, once it does."""

    async def start(self) -> None:
        """Listen.

        Raises:
            CannotListenError: the address cannot be listened on.
        """
        host, port = self._settings.admin_host, self._settings.admin_port or 0
        try:
            make_room(host)
            self.port = self._gate.listen(self._server, address_of(host, port))
        except RuntimeError as error:
            raise PortTakenError(address_of(host, port)) from error
        await self._server.start()
        log.info("operators are served on %s", address_of(host, self.port))

    async def stop(self) -> None:
        """Finish what has begun, then close."""
        self._health.enter_graceful_shutdown()
        self._health.end_watches()
        await self._server.stop(self._settings.grace_s)
        clear_away(self._settings.admin_host)

    def _wrapped(self, surround: Surround, method: Method) -> RpcHandler:
        behavior = getattr(self._service, method.name)
        if method.streaming:
            return surround.wrap_stream(method, behavior)
        return surround.wrap(method, handler_of(behavior))
