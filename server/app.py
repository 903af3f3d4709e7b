"""One process's life as a server: listen, answer, change generations, and on a signal drain."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

import grpc

from server.addresses import address_of
from server.connections import connection_options
from server.engine import Engine
from server.errors import PortTakenError
from server.health import SERVICE as HEALTH_SERVICE
from server.health import SERVING, Health
from server.holder import Holder
from server.message_reader import READING_OPTIONS, MessageReader
from server.methods import METHODS, SERVICES
from server.reflection import Reflection
from server.request_memory import RequestMemory
from server.security.caller_table import Sharing
from server.security.gate import open_gate
from server.security.tls import Certificate
from server.served import Served
from server.settings import Settings
from server.surround import Surround, Watcher
from server.telemetry.metrics import Metrics
from server.texts import Texts

log = logging.getLogger(__name__)

KEEPALIVE_MIN_MS = 60_000
"""Clients that ping more often than this are asked to calm down."""


class App:
    """One server on one port; `start`, then `stop`.

    Belongs to the event loop it was made in. `engine` and `texts` are the caller's to make;
    `stop` closes `texts`.
    """

    def __init__(
        self,
        engine: Engine,
        texts: Texts,
        settings: Settings,
        *,
        watchers: Sequence[Watcher] = (),
        metrics: Metrics | None = None,
        sharing: Sharing | None = None,
    ) -> None:
        self._settings = settings
        served = Served(engine, texts, settings, metrics)
        self.generations = Holder(served, page_hold_s=settings.page_hold_s)
        """What answers, and what still finishes."""
        limits = settings.limits
        reader = MessageReader(limits.max_request_bytes, settings.message_timeout_s)
        self._health = Health(limits.max_request_bytes, settings.message_timeout_s)
        self._gate = open_gate(settings.security, settings.host, sharing=sharing)
        self._server = _grpc_server(settings)
        memory = RequestMemory(settings.request_memory_bytes)
        self._add_services(Surround(limits, self._gate, reader, memory, watchers))
        self.port = 0
        """Where it listens, once it does."""
        self.missing = "starting"
        """Why no calls are answered; empty while they are."""

    @property
    def address(self) -> str:
        """Where it listens: host and port, or a Unix socket."""
        return address_of(self._settings.host, self.port or self._settings.port)

    @property
    def certificate(self) -> Certificate | None:
        """The server's certificate; None where connections are not protected."""
        return self._gate.certificate

    async def start(self) -> None:
        """Listen and report SERVING. A server that could not start is closed.

        Raises:
            PortTakenError: the address cannot be listened on.
        """
        try:
            self.port = self._gate.listen(self._server, self.address)
        except RuntimeError as error:
            await self.generations.close()
            raise PortTakenError(self.address) from error
        await self._server.start()
        for service in ("", *SERVICES):
            self._health.set(service, SERVING)
        self.missing = ""

    async def stop(self) -> None:
        """Report NOT_SERVING, let balancers notice, finish what has begun, then close."""
        self.missing = "draining"
        self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_wait_s)
        self._health.end_watches()
        await self._server.stop(self._settings.grace_s)
        await self.generations.close()

    def _add_services(self, surround: Surround) -> None:
        for service in SERVICES:
            handlers = {
                method.name: surround.wrap(method, partial(self.generations.answer, method))
                for method in METHODS.values()
                if method.service == service
            }
            generic = grpc.method_handlers_generic_handler(service, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        self._server.add_generic_rpc_handlers((self._health.handlers(),))
        if self._settings.reflection:
            described = Reflection((*SERVICES, HEALTH_SERVICE), self._gate)
            self._server.add_generic_rpc_handlers(described.handlers())


def _grpc_server(settings: Settings) -> grpc.aio.Server:
    limits = settings.limits
    return grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limits.max_request_bytes),
            *READING_OPTIONS,
            ("grpc.max_send_message_length", limits.max_response_bytes),
            # Alone on a port, a second server there would silently get half of the calls.
            ("grpc.so_reuseport", int(settings.port_shared)),
            *connection_options(settings),
            # gRPC takes a tenth off or adds it, by chance. Calls under way have all their time.
            *_aging(settings.connection_age_s),
            ("grpc.keepalive_permit_without_calls", 1),
            # Where calls come faster than the event loop can refuse them, gRPC's own threads turn
            # them away before it sees them.
            ("grpc.server.max_pending_requests", settings.pending_calls),
            ("grpc.server.max_pending_requests_hard_limit", settings.pending_calls),
            ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MIN_MS),
        ],
    )


def _aging(age_s: float) -> list[tuple[str, int]]:
    return [("grpc.max_connection_age_ms", max(1, round(age_s * 1000)))] if age_s else []
