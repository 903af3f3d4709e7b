"""The server's life: listen, answer, and on SIGTERM finish what has begun before going."""

import asyncio
import logging
import signal
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2
from nearfield.v1.embedding_pb2_grpc import add_EmbeddingServiceServicer_to_server
from nearfield.v1.info_pb2_grpc import add_InfoServiceServicer_to_server
from nearfield.v1.recommendation_pb2_grpc import add_RecommendationServiceServicer_to_server
from server.answering import Answering
from server.dispatch import Dispatcher
from server.embedding_service import EmbeddingService
from server.engine import Engine
from server.errors import PortTakenError
from server.info_service import InfoService
from server.interceptors import all_interceptors
from server.recommendation_service import RecommendationService
from server.settings import Settings
from server.texts import Texts
from server.validation import RequestReader

log = logging.getLogger(__name__)

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (embedding_pb2, "EmbeddingService"),
        (recommendation_pb2, "RecommendationService"),
        (info_pb2, "InfoService"),
    )
)
KEEPALIVE_MIN_MS = 60_000
"""Clients that ping more often than this are asked to calm down."""


class App:
    """One server on one port; `start`, then `stop`.

    Belongs to the event loop it was made in. `engine` and `texts` are the caller's to make;
    `stop` closes `texts`.
    """

    def __init__(self, engine: Engine, texts: Texts, settings: Settings) -> None:
        self._settings = settings
        self._texts = texts
        self._dispatcher = Dispatcher(engine, texts, settings)
        self._health = health.aio.HealthServicer()
        self._server = _grpc_server(settings)
        self._add_services(engine)
        self.port = 0
        """Where it listens, once it does."""

    async def start(self) -> None:
        """Listen and report SERVING. A server that could not start is closed.

        Raises:
            PortTakenError: the address cannot be listened on.
        """
        host = self._settings.host
        address = f"[{host}]" if ":" in host else host
        try:
            self.port = self._server.add_insecure_port(f"{address}:{self._settings.port}")
        except RuntimeError as error:
            await self._close()
            raise PortTakenError(f"{address}:{self._settings.port}") from error
        await self._server.start()
        for service in ("", *SERVICES):
            await self._health.set(service, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Report NOT_SERVING, let balancers notice, finish what has begun, then close."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_wait_s)
        await self._server.stop(self._settings.grace_s)
        await self._close()

    async def _close(self) -> None:
        self._texts.close()
        await self._dispatcher.close()

    def _add_services(self, engine: Engine) -> None:
        manifest, limits = engine.generation.manifest, self._settings.limits
        answering = Answering(self._dispatcher, manifest)
        reader = RequestReader(
            limits,
            manifest.item_types,
            dimensions=manifest.dimensions.vector,
            space_id=manifest.space_id,
            generation=manifest.generation,
        )
        embedding = EmbeddingService(
            answering, reader, self._dispatcher, space_id=manifest.space_id
        )
        recommendation = RecommendationService(answering, reader, self._dispatcher)
        info = InfoService(answering, engine, self._texts, limits)
        add_EmbeddingServiceServicer_to_server(embedding, self._server)
        add_RecommendationServiceServicer_to_server(recommendation, self._server)
        add_InfoServiceServicer_to_server(info, self._server)
        add_health: Any = health_pb2_grpc.add_HealthServicer_to_server  # has no types
        add_health(self._health, self._server)
        if self._settings.reflection:
            names = (*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME)
            add_reflection: Any = reflection.enable_server_reflection  # has no types
            add_reflection(names, self._server)


async def serve(engine: Engine, texts: Texts, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then drain. A second signal ends the grace at once.

    Raises:
        PortTakenError: the address cannot be listened on.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    app = App(engine, texts, settings)
    await app.start()
    generation = engine.generation.name
    log.info("serving generation %s on %s:%d", generation, settings.host, app.port)
    await stopping.wait()
    log.info("draining")
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # from here on a signal ends the process
    await app.stop()
    log.info("stopped")


def _grpc_server(settings: Settings) -> grpc.aio.Server:
    limits = settings.limits
    return grpc.aio.server(
        interceptors=all_interceptors(limits),
        options=[
            ("grpc.max_receive_message_length", limits.max_request_bytes),
            ("grpc.max_send_message_length", limits.max_response_bytes),
            # Without this, a second server on the port would silently get half of the calls.
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_MIN_MS),
        ],
    )
