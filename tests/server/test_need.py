"""What a busy server answers: less and less, said in the answer, and at last a refusal."""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray

from export.generation import Generation
from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.answers import Degradation, Provenance
from server.batcher import FADES_S, MicroBatcher
from server.engine import Engine
from server.need import InNeed
from server.requests import History, ItemFilter, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch
from server.stores.people import PersonState
from tests.server.support import Client, reason, retry_s, rich_status, running
from tests.support.generation import LISTED

PLAIN = Shape(5, ItemFilter())
INLINE = types_pb2.UserInput(
    user_id="user-1", history=[types_pb2.HistoryEvent(item_id="podcast-01")]
)


def ids(engine: Engine, task: RecommendTask) -> list[str]:
    answer = InNeed(engine).recommend(task)
    assert answer is not None
    return [hit.item_id for hit in answer.lists[0].hits]


def test_known_user_gets_what_is_kept_ready_without_what_was_just_seen(
    generation: Generation, engine: Engine
) -> None:
    assert generation.ready is not None
    kept = generation.item_ids.ids(generation.ready.rows[3][:6])
    task = RecommendTask(Person("user-3", History.chosen([kept[1]])), PLAIN)
    assert ids(engine, task) == [kept[0], *kept[2:6]]
    answer = InNeed(engine).recommend(task)
    assert answer is not None
    assert answer.degradation is Degradation.STORED
    assert answer.provenance is Provenance.GRAPH


def test_anybody_else_gets_what_is_popular(generation: Generation, engine: Engine) -> None:
    task = RecommendTask(Person("nobody", History.chosen(["podcast-01"])), PLAIN)
    answer = InNeed(engine).recommend(task)
    assert answer is not None
    assert answer.degradation is Degradation.POPULAR
    scores = [hit.score for hit in answer.lists[0].hits]
    seen = generation.item_ids.lookup(["podcast-01"])
    others = [p for row, p in enumerate(generation.popularity.tolist()) if row not in seen]
    assert scores == sorted(others, reverse=True)[:5]


@pytest.mark.parametrize(
    "task",
    [
        RecommendTask(Person("user-1"), Shape(5, ItemFilter(types=(0,)))),
        RecommendTask(Person("user-1"), Shape(5, ItemFilter(), per_type=True)),
        RecommendTask(Person("user-1"), PLAIN, explain=True),
        RecommendTask(Person("nobody"), Shape(61, ItemFilter())),
    ],
)
def test_what_takes_a_search_cannot_be_read(engine: Engine, task: RecommendTask) -> None:
    assert InNeed(engine).recommend(task) is None


def test_list_that_is_too_short_gives_way_to_what_is_popular(engine: Engine) -> None:
    task = RecommendTask(Person("user-1"), Shape(LISTED + 1, ItemFilter()), drop_seen=False)
    answer = InNeed(engine).recommend(task)
    assert answer is not None
    assert answer.degradation is Degradation.POPULAR


@pytest.fixture
def slow(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the user tower take its time."""
    vectors = engine.users.vectors

    def slowly(states: Sequence[PersonState]) -> NDArray[np.float32]:
        time.sleep(0.05)
        return vectors(states)

    monkeypatch.setattr(engine.users, "vectors", slowly)


@pytest.mark.usefixtures("slow")
async def test_busy_server_answers_from_what_it_has(engine: Engine) -> None:
    request = pb.RecommendRequest(user=INLINE, k=5)
    async with running(engine, queue_ms=1e-6) as client:
        alone = await client.recommendation.Recommend(request)
        crowd = await asyncio.gather(*(_recommend(client, request) for _ in range(16)))
    assert alone.recommendation.degradation == pb.DEGRADATION_UNSPECIFIED
    answered = {each.recommendation.degradation for each in crowd}
    assert pb.DEGRADATION_STORED in answered
    assert pb.DEGRADATION_POPULAR not in answered
    assert all(len(each.recommendation.hits) == 5 for each in crowd)


async def _recommend(client: Client, request: pb.RecommendRequest) -> pb.RecommendResponse:
    return await client.recommendation.Recommend(request)


@pytest.mark.usefixtures("slow")
async def test_busy_server_refuses_what_it_cannot_read(engine: Engine) -> None:
    request = embedding_pb2.EmbedUserRequest(user=INLINE)
    async with running(engine, queue_ms=1e-6) as client:
        await client.embedding.EmbedUser(request)

        async def refusal() -> grpc.aio.AioRpcError | None:
            try:
                await client.embedding.EmbedUser(request)
            except grpc.aio.AioRpcError as error:
                return error
            return None

        outcomes = await asyncio.gather(*(refusal() for _ in range(16)))
    refused = [each for each in outcomes if each is not None]
    assert 0 < len(refused) < 16
    status = rich_status(refused[0])
    assert refused[0].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert reason(status) == "OVERLOADED"
    assert retry_s(status)


async def test_batch_waits_for_its_turn_however_busy(engine: Engine) -> None:
    requests = [pb.RecommendRequest(user=INLINE, k=5)] * 100
    async with running(engine, queue_ms=1e-6) as client:
        answer = await client.recommendation.BatchRecommend(
            pb.BatchRecommendRequest(requests=requests)
        )
    assert {each.recommendation.degradation for each in answer.results} == {0}


async def test_smaller_search_says_so(engine: Engine) -> None:
    task = RecommendTask(Person("user-1"), PLAIN, degradation=Degradation.SMALLER_SEARCH)
    (answer,) = engine.recommender.recommend([task], Stopwatch())
    assert answer.degradation is Degradation.SMALLER_SEARCH
    assert len(answer.lists[0].hits) == 5


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1)


class Held:
    """Work that takes as long as a test wants it to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __call__(self, jobs: Sequence[int], watch: Stopwatch) -> list[int | Exception]:
        self.go.wait(10)
        return list(jobs)


async def test_strain_grows_with_what_waits_and_as_the_deadline_nears() -> None:
    held = Held()
    loop = asyncio.get_running_loop()
    batcher: MicroBatcher[int, int] = MicroBatcher(held, _threads(), most=1, at_once=1)
    later = loop.time() + 100
    assert batcher.strain(later, 0.05) == 0
    first = asyncio.ensure_future(batcher.submit(0, deadline=later))
    await asyncio.sleep(0.05)
    held.go.set()
    await first
    idle = batcher.strain(later, 0.05)
    assert 0 < idle < 1
    held.go.clear()
    waiting = [asyncio.ensure_future(batcher.submit(n, deadline=later)) for n in range(3)]
    await asyncio.sleep(0.05)
    assert batcher.strain(later, 0.05) > 1
    assert batcher.strain(later, 1e6) < 1
    assert batcher.strain(loop.time() + 0.01, 1e6) > 1
    held.go.set()
    await asyncio.gather(*waiting)
    await batcher.close()


async def test_who_turns_jobs_away_tries_again_one_day() -> None:
    held = Held()
    held.go.set()
    loop = asyncio.get_running_loop()
    batcher: MicroBatcher[int, int] = MicroBatcher(held, _threads(), most=1, at_once=1)
    await batcher.submit(0, deadline=loop.time() + 10)
    batcher._job_s = 5.0
    assert [batcher.strain(loop.time() + 1, 0.05) > 1 for _ in range(1000)] == [True] * 1000
    batcher._learned -= 10 * FADES_S
    assert batcher.strain(loop.time() + 1, 0.05) < 1
    await batcher.close()


async def test_what_jobs_take_is_not_forgotten_while_one_runs() -> None:
    held = Held()
    loop = asyncio.get_running_loop()
    batcher: MicroBatcher[int, int] = MicroBatcher(held, _threads(), most=1, at_once=1)
    batcher._job_s, batcher._learned = 5.0, loop.time() - 10 * FADES_S
    running = asyncio.ensure_future(batcher.submit(0, deadline=loop.time() + 100))
    await asyncio.sleep(0.01)
    assert batcher.strain(loop.time() + 1, 0.05) > 1
    held.go.set()
    await running
    await batcher.close()
