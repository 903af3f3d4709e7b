"""One generation, open and able to answer, with all that belongs to it alone."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from server.answering import Answering
from server.calls import CURRENT
from server.dispatch import Dispatcher
from server.embedding_service import EmbeddingService
from server.engine import Engine
from server.featurizers import CLOSING_S, close_texts
from server.info_service import InfoService
from server.methods import METHODS, Method
from server.ready import ReadyAnswers
from server.recommendation_service import RecommendationService
from server.settings import Settings
from server.surround import Answer, Handler, Later, handler_of
from server.telemetry.metrics import Metrics
from server.texts import Texts
from server.validation import RequestReader

log = logging.getLogger(__name__)


class Served:
    """Answers calls from one generation; for one event loop.

    `engine` and `texts` are the caller's to make; `close` closes `texts`.
    """

    def __init__(
        self, engine: Engine, texts: Texts, settings: Settings, metrics: Metrics | None = None
    ) -> None:
        generation = engine.generation
        manifest, limits = generation.manifest, settings.limits
        self.generation = generation
        self._texts = texts
        self._dispatcher = Dispatcher(engine, texts, settings, metrics)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        answering = Answering(self._dispatcher, manifest)
        reader = RequestReader(
            limits,
            manifest.item_types,
            dimensions=manifest.dimensions.vector,
            space_id=manifest.space_id,
            generation=manifest.generation,
        )
        ready = ReadyAnswers.of(generation, engine.catalogue, most_events=engine.most_events)
        services = {
            "nearfield.v1.EmbeddingService": EmbeddingService(
                answering, reader, self._dispatcher, ready, space_id=manifest.space_id
            ),
            "nearfield.v1.RecommendationService": RecommendationService(
                answering, reader, self._dispatcher, ready
            ),
            "nearfield.v1.InfoService": InfoService(answering, engine, texts, limits),
        }
        self._handlers: Mapping[str, Handler] = {
            path: handler_of(getattr(services[method.service], method.name))
            for path, method in METHODS.items()
        }

    @property
    def name(self) -> str:
        """Name of the generation."""
        return self.generation.name

    def answer(self, method: Method, request: Any) -> Answer | Later:  # noqa: ANN401
        """Answer a call of a method: at once where nothing has to be waited for, else later."""
        CURRENT.get().generation = self.name
        answer = self._handlers[method.path](request)
        return partial(self._held, answer) if callable(answer) else answer

    async def finished(self) -> None:
        """Wait until no call is under way here."""
        await self._idle.wait()

    async def close(self) -> None:
        """Fail what is queued, let what is being computed finish, and give back what is held.

        Questions to featurizers are broken off. What hangs is left behind after a while.
        """
        await asyncio.gather(self._stop_computing(), close_texts(self._texts))

    async def _stop_computing(self) -> None:
        try:
            async with asyncio.timeout(CLOSING_S):
                await self._dispatcher.close()
        except TimeoutError:
            log.error("generation %s: what it computes does not end, left behind", self.name)

    async def _held(self, later: Later) -> Answer:
        """Wait for an answer, and count it as under way until it is there."""
        self._under_way += 1
        self._idle.clear()
        try:
            return await later()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
