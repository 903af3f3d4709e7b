"""From the event loop to the engine and back: which micro-batch each request goes through."""

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from nearfield.v1 import recommendation_pb2
from server.answers import Degradation, ItemVector, Notice, NoticeKind, UserVector
from server.batcher import MicroBatcher, Timed, Work
from server.calls import CURRENT
from server.engine import Engine
from server.errors import BusyError
from server.need import InNeed
from server.requests import (
    EmbeddedText,
    ItemRequest,
    NewItem,
    Person,
    RecommendTask,
    SimilarRequest,
    SimilarTask,
)
from server.settings import Settings
from server.stopwatch import NO_TIMES, Stopwatch
from server.stores.people import PersonState
from server.telemetry.metrics import Metrics
from server.text_queue import TextQueue
from server.texts import Texts
from server.wire import write_recommendation, write_similar_items

SMALLER_FROM = 0.5
"""Strain from which recommendations are made by a smaller search."""
LOOKED_UP_AT_ONCE = 100
"""Events of a request whose items are looked up on the event loop: about 30 microseconds."""

T = TypeVar("T")
JobT = TypeVar("JobT")
AnswerT = TypeVar("AnswerT")
MessageT = TypeVar("MessageT")


class Dispatcher:
    """Puts requests into micro-batches and waits for their answers.

    Texts on their way to a featurizer have threads of their own, and calls with new items places
    of their own (see server.surround), so that a featurizer that hangs holds up nothing but
    new items. Deadlines are in the event loop's time.
    """

    def __init__(
        self, engine: Engine, texts: Texts, settings: Settings, metrics: Metrics | None = None
    ) -> None:
        metrics = metrics or Metrics()
        self._workers = ThreadPoolExecutor(settings.compute_threads, thread_name_prefix="worker")
        self._loop = asyncio.get_running_loop()
        self._queue_s = settings.queue_ms / 1000
        self._engine = engine
        self._in_need = InNeed(engine)

        def batcher(name: str, work: Work[JobT, AnswerT]) -> MicroBatcher[JobT, AnswerT]:
            return MicroBatcher(
                work,
                self._workers,
                most=settings.max_micro_batch,
                at_once=settings.compute_threads,
                wait_s=settings.batch_wait_us / 1e6,
                taken=partial(metrics.batch, name),
            )

        self._items: MicroBatcher[EmbeddedText, ItemVector] = batcher("items", engine.items.embed)
        self._users: MicroBatcher[PersonState, UserVector] = batcher("users", engine.users.embed)
        self._recommend = batcher(
            "recommend", _written(engine.recommender.recommend, write_recommendation)
        )
        self._similar = batcher("similar", _written(engine.similar.find, write_similar_items))
        self._texts = TextQueue(texts, settings, metrics)

    async def embed_item(self, item: ItemRequest, deadline: float) -> Timed[ItemVector]:
        """Read the vector of a known item, or embed a new one.

        Raises:
            UnknownItemError: the generation does not have an item of this id.
        """
        if isinstance(item, NewItem):
            return await self._embed_new(item, deadline)
        return Timed(self._engine.items.known(item), NO_TIMES, read=True)

    async def embed_user(self, person: Person, deadline: float) -> Timed[UserVector]:
        """Embed a person.

        Raises:
            UnknownUserError: nothing is known of them.
        """
        self._admit(self._users, deadline, "vectors of people")
        look_up = partial(self._engine.users.state, person)
        short = len(person.history) <= LOOKED_UP_AT_ONCE
        state = look_up() if short else await self.aside(look_up)
        return await self._users.submit(state, deadline=deadline)

    async def recommend(
        self, task: RecommendTask, deadline: float
    ) -> Timed[recommendation_pb2.Recommendation]:
        """Recommend to a person: as well as there is time for.

        Raises:
            BusyError: there is no time for any search, and what is asked for cannot be read.
        """
        strain = self._strain(self._recommend, deadline)
        if strain > 1:
            read = self._in_need.recommend(task)
            if read is None:
                raise BusyError("recommendations")
            return Timed(write_recommendation(read), NO_TIMES, read=True)
        if strain > SMALLER_FROM and task.shape.page is None:  # pages are cut from one list
            task = replace(task, degradation=Degradation.SMALLER_SEARCH)
        return await self._recommend.submit(task, deadline=deadline)

    async def find_similar(
        self, request: SimilarRequest, deadline: float
    ) -> Timed[recommendation_pb2.SimilarItems]:
        """Find items like one."""
        if not isinstance(request.query, NewItem):
            self._admit(self._similar, deadline, "similar items")
            task = SimilarTask(request.query, request.shape)
            return await self._similar.submit(task, deadline=deadline)
        embedded = await self._embed_new(request.query, deadline)
        task = SimilarTask(embedded.answer, request.shape)
        found = await self._similar.submit(task, deadline=deadline)
        return Timed(found.answer, embedded.times + found.times)

    async def aside(self, work: Callable[[], T]) -> T:
        """Run something long in a worker, off the event loop."""
        return await self._loop.run_in_executor(self._workers, work)

    async def close(self) -> None:
        """Let what is being computed finish, fail what is queued, and end the threads."""
        batchers = (self._items, self._users, self._recommend, self._similar)
        try:
            await asyncio.gather(self._texts.close(), *(each.close() for each in batchers))
        finally:
            self._workers.shutdown(wait=False)

    def _admit(self, batcher: MicroBatcher[JobT, AnswerT], deadline: float, what: str) -> None:
        """Refuse at once what would take too long.

        Raises:
            BusyError: it would.
        """
        if self._strain(batcher, deadline) > 1:
            raise BusyError(what)

    def _strain(self, batcher: MicroBatcher[JobT, AnswerT], deadline: float) -> float:
        patient = CURRENT.get().patient
        return batcher.strain(deadline, math.inf if patient else self._queue_s)

    async def _embed_new(self, item: NewItem, deadline: float) -> Timed[ItemVector]:
        text = await self._texts.embed(item.text, deadline)
        task = EmbeddedText(item, text.answer.vector, text.answer.featurizer)
        embedded = await self._items.submit(task, deadline=deadline)
        answer = embedded.answer
        if text.answer.stepped_in:
            message = f"new_item: the main featurizer is away, {answer.featurizer} stepped in"
            notice = Notice(NoticeKind.FALLBACK_FEATURIZER, "new_item", message)
            answer = replace(answer, notices=(*answer.notices, notice))
        return Timed(answer, text.times + embedded.times)


def _written(
    compute: Callable[[Sequence[JobT], Stopwatch], Sequence[AnswerT | Exception]],
    write: Callable[[AnswerT], MessageT],
) -> Work[JobT, MessageT]:
    """Write answers as messages in the worker that computed them, not on the event loop."""

    def work(jobs: Sequence[JobT], watch: Stopwatch) -> list[MessageT | Exception]:
        return [
            answer if isinstance(answer, Exception) else write(answer)
            for answer in compute(jobs, watch)
        ]

    return work
