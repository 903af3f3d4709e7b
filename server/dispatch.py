"""From the event loop to the engine and back: which micro-batch each request goes through."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from nearfield.v1 import recommendation_pb2
from server.answers import ItemVector, Notice, NoticeKind, UserVector
from server.batcher import MicroBatcher, Timed, Work
from server.engine import Engine
from server.requests import (
    EmbeddedText,
    ItemRequest,
    ItemTask,
    NewItem,
    Person,
    RecommendTask,
    SimilarRequest,
    SimilarTask,
)
from server.settings import Settings
from server.stopwatch import Stopwatch
from server.telemetry.metrics import Metrics
from server.text_queue import TextQueue
from server.texts import Texts
from server.wire import write_recommendation, write_similar_items

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

        def batcher(name: str, work: Work[JobT, AnswerT]) -> MicroBatcher[JobT, AnswerT]:
            return MicroBatcher(
                work,
                self._workers,
                most=settings.max_micro_batch,
                at_once=settings.compute_threads,
                wait_s=settings.batch_wait_us / 1e6,
                taken=partial(metrics.batch, name),
            )

        self._items: MicroBatcher[ItemTask, ItemVector] = batcher("items", engine.items.embed)
        self._users: MicroBatcher[Person, UserVector] = batcher("users", engine.users.embed)
        self._recommend = batcher(
            "recommend", _written(engine.recommender.recommend, write_recommendation)
        )
        self._similar = batcher("similar", _written(engine.similar.find, write_similar_items))
        self._texts = TextQueue(texts, settings, metrics)

    async def embed_item(self, item: ItemRequest, deadline: float) -> Timed[ItemVector]:
        """Embed a known or a new item."""
        if isinstance(item, NewItem):
            return await self._embed_new(item, deadline)
        return await self._items.submit(item, deadline=deadline)

    async def embed_user(self, person: Person, deadline: float) -> Timed[UserVector]:
        """Embed a person."""
        return await self._users.submit(person, deadline=deadline)

    async def recommend(
        self, task: RecommendTask, deadline: float
    ) -> Timed[recommendation_pb2.Recommendation]:
        """Recommend to a person."""
        return await self._recommend.submit(task, deadline=deadline)

    async def find_similar(
        self, request: SimilarRequest, deadline: float
    ) -> Timed[recommendation_pb2.SimilarItems]:
        """Find items like one."""
        if not isinstance(request.query, NewItem):
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
        await self._texts.close()
        for batcher in (self._items, self._users, self._recommend, self._similar):
            await batcher.close()
        self._workers.shutdown()

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
