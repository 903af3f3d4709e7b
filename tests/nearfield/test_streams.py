"""Streams without end: bounded, in order, held up by whoever is slow, gone when nobody listens."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from itertools import count, islice
from typing import Any, cast

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message

import nearfield
from nearfield import (
    AsyncClient,
    Batch,
    Client,
    ItemEmbedding,
    NearfieldError,
    Reason,
    RecommendQuery,
    Retry,
    SimilarQuery,
    Status,
)
from nearfield.async_stream import stream
from nearfield.errors import CLASS_OF_CODE, error_of
from nearfield.steps import Pause
from nearfield.streams import Gate
from nearfield.testing import FakeServer, Method, status_of
from nearfield.testing.refusals import written
from tests.nearfield.conftest import QUICK
from tests.nearfield.test_batches import echoed
from tests.nearfield.test_closing import ENDS_SOON_S, wait_until_left

MILLION = 1_000_000


class Source:
    """Made-up ids, as many as are wanted; counts those taken."""

    def __init__(self, length: int | None = None) -> None:
        self.taken = 0
        self._length = length

    def __iter__(self) -> Iterator[str]:
        for number in count() if self._length is None else range(self._length):
            self.taken += 1
            yield f"item-{number}"

    async def __aiter__(self) -> AsyncIterator[str]:
        for item_id in self:
            yield item_id


class Watched:
    """Wraps an answer: counts the calls that are in it at once."""

    def __init__(self, answer: Callable[[Message], Message]) -> None:
        self._answer = answer
        self._now = 0
        self._lock = threading.Lock()
        self.most = 0

    def __call__(self, request: Message) -> Message:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        time.sleep(0.02)
        try:
            return self._answer(request)
        finally:
            with self._lock:
                self._now -= 1


def sizes(server: FakeServer) -> list[int]:
    calls = server.calls(Method.BATCH_EMBED_ITEMS)
    return [len(cast("Any", call.request).requests) for call in calls]


async def test_a_million_elements_pass_and_never_more_than_the_bound_are_held() -> None:
    """Without a server, so that it is the pipeline alone that is looked at."""
    source, seen, most_ahead, most_under_way, under_way = Source(MILLION), 0, 0, 0, 0

    async def send(part: Sequence[str]) -> Batch[str]:
        nonlocal under_way, most_under_way
        under_way += 1
        most_under_way = max(most_under_way, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return Batch(tuple(part))

    async for element, outcome in stream(source, send, in_flight=8, chunk=500):
        most_ahead = max(most_ahead, source.taken - seen)
        assert element == outcome
        seen += 1

    assert seen == MILLION
    assert 3_500 < most_ahead <= 4_000
    assert 1 < most_under_way <= 8


async def test_a_hundred_thousand_items_of_a_server_keep_their_order_within_the_bound(
    server: FakeServer,
) -> None:
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)
    source, seen, most_ahead = Source(100_000), 0, 0

    async with AsyncClient(server.target) as client:
        async for item_id, found in client.embed_items_stream(source, in_flight=4, chunk=250):
            most_ahead = max(most_ahead, source.taken - seen)
            assert isinstance(found, ItemEmbedding)
            assert item_id == found.item_id == f"item-{seen}"
            seen += 1

    assert seen == 100_000
    assert most_ahead <= 1_000
    assert set(sizes(server)) == {250}


def test_the_blocking_stream_keeps_order_and_bound_too(server: FakeServer) -> None:
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)
    source, seen, most_ahead = Source(20_000), 0, 0

    with Client(server.target) as client:
        for item_id, found in client.embed_items_stream(iter(source), in_flight=3, chunk=100):
            most_ahead = max(most_ahead, source.taken - seen)
            assert isinstance(found, ItemEmbedding)
            assert item_id == found.item_id == f"item-{seen}"
            seen += 1

    assert (seen, most_ahead) == (20_000, 300)


async def consume(client: AsyncClient, source: Source) -> None:
    async for _ in client.embed_items_stream(source, in_flight=1, chunk=2):
        pass


Drain = Callable[..., list[Any]]


@pytest.fixture(params=["Client", "AsyncClient"])
def drain(request: pytest.FixtureRequest, server: FakeServer) -> Drain:
    """Give a stream of either client as a list."""

    def drain(
        items: Iterable[str],
        *,
        retry: Retry = QUICK,
        in_flight: int = 4,
        chunk: int = 256,
        timeout_s: float | None = None,
    ) -> list[Any]:
        bounds: Any = {"in_flight": in_flight, "chunk": chunk, "timeout_s": timeout_s}
        if request.param == "Client":
            with Client(server.target, retry=retry) as client:
                return list(client.embed_items_stream(items, **bounds))

        async def drained() -> list[Any]:
            async with AsyncClient(server.target, retry=retry) as client:
                return [each async for each in client.embed_items_stream(items, **bounds)]

        return asyncio.run(drained())

    return drain


def test_source_that_ends_within_a_chunk_is_sent_whole(server: FakeServer, drain: Drain) -> None:
    found = drain([f"book-{n}" for n in range(7)], chunk=3)

    assert [item_id for item_id, _ in found] == [f"book-{n}" for n in range(7)]
    assert sorted(sizes(server)) == [1, 3, 3]


def test_empty_source_asks_nobody(server: FakeServer, drain: Drain) -> None:
    assert drain([]) == []
    assert server.calls(Method.GET_SERVER_INFO) == ()


def test_as_many_chunks_as_allowed_are_under_way(server: FakeServer, drain: Drain) -> None:
    watched = Watched(echoed)
    server.answer_with(Method.BATCH_EMBED_ITEMS, watched)

    drain(Source(60), in_flight=3, chunk=2)

    assert watched.most == 3


def test_error_of_an_element_is_its_outcome_alone(drain: Drain) -> None:
    found = dict(drain(["book-1", "nothing", "\ud800", "book-2"], chunk=2))

    assert isinstance(found["nothing"], nearfield.NotFoundError)
    assert isinstance(found["\ud800"], nearfield.ArgumentError)
    assert found["book-1"].item_id == "book-1"
    assert found["book-2"].item_id == "book-2"


def test_full_server_is_waited_for_however_often_it_says_so(
    server: FakeServer, drain: Drain
) -> None:
    full = status_of(Reason.OVERLOADED, retry_delay_s=0.01)
    server.fail(Method.BATCH_EMBED_ITEMS, full, times=30)
    server.fail(Method.GET_SERVER_INFO, full, times=3)

    found = drain([f"book-{n}" for n in range(8)], chunk=2)

    assert [item.item_id for _, item in found] == [f"book-{n}" for n in range(8)]
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) == 34


def test_elements_alone_that_a_full_server_refuses_are_sent_again_alone(
    server: FakeServer, drain: Drain
) -> None:
    refused = threading.Event()

    def answer(request: Message) -> Message:
        answered: Any = echoed(request)
        if not refused.is_set():
            refused.set()
            status = status_of(Reason.OVERLOADED, retry_delay_s=0.01)
            answered.results[1].Clear()
            answered.results[1].status.CopyFrom(written(status))
        return cast("Message", answered)

    server.answer_with(Method.BATCH_EMBED_ITEMS, answer)

    found = drain(["a", "b", "c"], chunk=3)

    assert [item.item_id for _, item in found] == ["a", "b", "c"]
    assert sizes(server) == [3, 1]


def test_while_one_chunk_is_told_to_wait_no_other_is_sent(server: FakeServer, drain: Drain) -> None:
    moments: list[float] = []
    lock = threading.Lock()

    def answer(request: Message) -> Message:
        with lock:
            moments.append(time.monotonic())
            first = len(moments) == 1
        if first:
            raise error_of(status_of(Reason.OVERLOADED, retry_delay_s=0.5))
        return echoed(request)

    server.answer_with(Method.BATCH_EMBED_ITEMS, answer)
    drain(Source(20), in_flight=2, chunk=1)

    # Others may have been on their way before the refusal of the first was heard.
    early = [moment for moment in moments[1:] if moment - moments[0] < 0.5]
    assert len(moments) == 21
    assert len(early) <= 5


def test_gate_holds_everybody_up_for_the_longest_wait() -> None:
    gate = Gate()
    assert list(gate.passed()) == []

    gate.hold(30.0)
    gate.hold(0.1)

    (pause,) = islice(gate.passed(), 1)
    assert isinstance(pause, Pause)
    assert 29.0 < pause.seconds <= 36.0


def test_patience_with_a_full_server_ends(server: FakeServer, drain: Drain) -> None:
    full = status_of(Reason.OVERLOADED, retry_delay_s=0.2)
    server.fail(Method.BATCH_EMBED_ITEMS, full, times=1000)

    ((_, outcome),) = drain(["book-1"], retry=Retry(patience_s=0.5))

    assert isinstance(outcome, nearfield.ResourceExhaustedError)
    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) in (2, 3)


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED])
def test_chunk_that_fails_is_the_outcome_of_its_elements_and_the_stream_goes_on(
    server: FakeServer, drain: Drain, code: grpc.StatusCode
) -> None:
    server.fail(Method.BATCH_EMBED_ITEMS, Status(code, "bug"))

    found = [outcome for _, outcome in drain(["book-1", "book-2", "book-3"], in_flight=1, chunk=2)]

    assert [type(each) for each in found] == [*[CLASS_OF_CODE[code]] * 2, ItemEmbedding]


def test_caller_who_is_turned_away_hears_it_once(server: FakeServer, drain: Drain) -> None:
    away = Status(grpc.StatusCode.UNAUTHENTICATED, "who?")
    server.fail(Method.BATCH_EMBED_ITEMS, away, times=1000)

    with pytest.raises(nearfield.UnauthenticatedError, match="who"):
        drain(Source(), in_flight=2, chunk=2)

    assert len(server.calls(Method.BATCH_EMBED_ITEMS)) <= 3


def test_error_of_the_source_comes_after_the_outcomes_before_it(
    server: FakeServer, drain: Drain
) -> None:
    def broken() -> Iterator[str]:
        yield from ("book-1", "book-2")
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        drain(broken(), chunk=2)

    assert sizes(server) == [2]


@pytest.mark.parametrize("given", [{"in_flight": 0}, {"chunk": 0}, {"timeout_s": 0.0}])
def test_bound_that_is_none_is_refused_before_the_first_element(
    drain: Drain, given: dict[str, Any]
) -> None:
    source = Source()
    (name,) = given

    with pytest.raises(nearfield.ArgumentError, match=f"^{name}"):
        drain(source, **given)

    assert source.taken == 0


def test_one_string_is_no_stream(drain: Drain) -> None:
    with pytest.raises(nearfield.ArgumentError, match="got one string"):
        drain("book-1")


async def test_slow_source_does_not_hold_up_what_is_there(server: FakeServer) -> None:
    going_on = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        yield "book-1"
        yield "book-2"
        await going_on.wait()
        yield "book-3"

    async with AsyncClient(server.target) as client:
        found = client.embed_items_stream(slow(), chunk=2)
        first, _ = await asyncio.wait_for(anext(found), ENDS_SOON_S)
        second, _ = await asyncio.wait_for(anext(found), ENDS_SOON_S)
        going_on.set()
        rest = [item_id async for item_id, _ in found]

    assert [first, second, *rest] == ["book-1", "book-2", "book-3"]


async def test_slow_consumer_holds_up_the_source(server: FakeServer) -> None:
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)
    source = Source()

    async with (
        AsyncClient(server.target) as client,
        aclosing(client.embed_items_stream(source, in_flight=2, chunk=5)) as found,
    ):
        await anext(found)
        await asyncio.sleep(0.3)  # time enough for thousands

        assert source.taken == 10


async def leave_closing(client: AsyncClient, source: Source) -> None:
    async with aclosing(client.embed_items_stream(source, in_flight=1, chunk=2)) as found:
        task = asyncio.ensure_future(anext(found))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def leave_cancelled(client: AsyncClient, source: Source) -> None:
    task = asyncio.create_task(consume(client, source))
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("leave", [leave_closing, leave_cancelled])
async def test_consumer_who_leaves_cancels_what_is_under_way(
    server: FakeServer, leave: Callable[[AsyncClient, Source], Awaitable[None]]
) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 30.0)
    source = Source()
    async with AsyncClient(server.target) as client:
        await leave(client, source)

        await asyncio.to_thread(wait_until_left, server, Method.BATCH_EMBED_ITEMS)
        assert source.taken == 2


async def test_break_ends_the_stream(server: FakeServer) -> None:
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)
    before = asyncio.all_tasks()
    async with AsyncClient(server.target) as client:
        async for item_id, _ in client.embed_items_stream(Source(), in_flight=3, chunk=2):
            assert item_id == "item-0"
            break
        gc.collect()
        for _ in range(1000):
            if asyncio.all_tasks() == before:
                break
            await asyncio.sleep(0.01)

        assert asyncio.all_tasks() == before


def threads_of_streams() -> int:
    return sum(each.name.startswith("nearfield-stream") for each in threading.enumerate())


def wait_for_calls(server: FakeServer, calls: int) -> None:
    until = time.monotonic() + ENDS_SOON_S
    while len(sizes(server)) < calls and time.monotonic() < until:
        time.sleep(0.005)
    assert len(sizes(server)) == calls


def test_consumer_who_leaves_a_blocking_stream_cancels_what_is_under_way(
    server: FakeServer,
) -> None:
    server.answer_with(Method.BATCH_EMBED_ITEMS, echoed)
    with Client(server.target) as client:
        with closing(client.embed_items_stream(Source(), in_flight=2, chunk=1)) as found:
            next(found)
            wait_for_calls(server, 2)
            server.delay(Method.BATCH_EMBED_ITEMS, 30.0)
            next(found)  # which lets a third chunk begin
            wait_for_calls(server, 3)

        wait_until_left(server, Method.BATCH_EMBED_ITEMS)
        assert threads_of_streams() == 0
        assert client.embed_item("book-1").item_id == "book-1"


def test_closing_the_client_ends_a_blocking_stream_in_another_thread(server: FakeServer) -> None:
    server.delay(Method.BATCH_EMBED_ITEMS, 30.0)
    client = Client(server.target)
    found = client.embed_items_stream(Source(), in_flight=1, chunk=1)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, found)
        wait_for_calls(server, 1)
        client.close()

        error = waiting.exception(timeout=ENDS_SOON_S)

    assert type(error) is nearfield.ClientClosedError
    wait_until_left(server, Method.BATCH_EMBED_ITEMS)


def test_told_wait_of_a_blocking_stream_ends_when_its_consumer_leaves(server: FakeServer) -> None:
    def answer(request: Message) -> Message:
        if cast("Any", request).requests[0].item_id != "item-0":
            raise error_of(status_of(Reason.OVERLOADED, retry_delay_s=300.0))
        return echoed(request)

    server.answer_with(Method.BATCH_EMBED_ITEMS, answer)
    with (
        Client(server.target) as client,
        closing(client.embed_items_stream(Source(), in_flight=2, chunk=1)) as found,
    ):
        next(found)
        wait_for_calls(server, 2)

    assert threads_of_streams() == 0


def test_closed_client_ends_the_stream(server: FakeServer) -> None:
    client = Client(server.target)
    found = client.embed_items_stream(Source(), in_flight=1, chunk=1)
    client.close()

    with pytest.raises(nearfield.ClientClosedError):
        next(found)


async def test_every_kind_of_question_can_be_streamed(server: FakeServer) -> None:
    users = [f"user-{n}" for n in range(5)]
    queries = [RecommendQuery(user, k=2) for user in users]
    similar = [SimilarQuery(f"book-{n}", k=2) for n in range(5)]

    async with AsyncClient(server.target) as awaiting:
        people = [found async for _, found in awaiting.embed_users_stream(users, chunk=2)]
        items = [found async for _, found in awaiting.recommend_stream(queries, chunk=2)]
        near = [found async for _, found in awaiting.similar_items_stream(similar, chunk=2)]

    with Client(server.target) as client:
        alone = [each.vector for each in client.embed_users(users).results()]
        vectors = [each.vector for each in people if not isinstance(each, NearfieldError)]
        np.testing.assert_array_equal(vectors, alone)
        for found, streamed, batch in (
            (items, client.recommend_stream(queries, chunk=2), client.recommend_many(queries)),
            (
                near,
                client.similar_items_stream(similar, chunk=2),
                client.similar_items_many(similar),
            ),
        ):
            hits = [each.hits for each in batch.results()]
            assert [cast("Any", each).hits for each in found] == hits
            assert [cast("Any", each).hits for _, each in streamed] == hits
