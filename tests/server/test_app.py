import asyncio
import contextlib
import itertools
import struct
import time
from typing import Any

import grpc
import psutil
import pytest
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from features.errors import FeaturizerBadAnswer
from nearfield.v1 import embedding_pb2, info_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from server.app import App
from server.engine import Engine
from server.errors import PortTakenError
from server.limits import Limits
from server.methods import SERVICES
from tests.server.support import (
    Client,
    FlakyFeaturizer,
    make_settings,
    make_texts,
    reason,
    retry_s,
    rich_status,
    running,
)

KNOWN = embedding_pb2.EmbedItemRequest(item_id="podcast-01")
RECOMMEND = "/nearfield.v1.RecommendationService/Recommend"
EMBED_ITEM = "/nearfield.v1.EmbeddingService/EmbedItem"
NEW = embedding_pb2.EmbedItemRequest(
    new_item=types_pb2.NewItem(item_type="podcast", title="Out today")
)
make_health_stub: Any = health_pb2_grpc.HealthStub  # these two have no types
make_reflection_stub: Any = reflection_pb2_grpc.ServerReflectionStub
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_health_answers_for_the_server_and_each_service(engine: Engine) -> None:
    assert set(SERVICES) == {
        "nearfield.v1.EmbeddingService",
        "nearfield.v1.RecommendationService",
        "nearfield.v1.InfoService",
    }
    async with running(engine) as client:
        stub = make_health_stub(client.channel)
        for service in ("", *SERVICES):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == SERVING
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_watch_hears_of_the_drain_while_calls_under_way_are_finished(
    engine: Engine,
) -> None:
    featurizer = FlakyFeaturizer()
    app = App(engine, make_texts(engine, featurizer), make_settings(drain_wait_s=0.2))
    await app.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
        watch = make_health_stub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]))
        seen = [(await watch.read()).status]
        featurizer.hold.clear()
        slow = asyncio.ensure_future(_embed(channel, NEW))
        await asyncio.to_thread(featurizer.asked.wait, 10)
        stopping = asyncio.ensure_future(app.stop())
        seen.append((await watch.read()).status)
        # Balancers need a moment to notice; until then new calls are still answered.
        late = await _embed(channel, KNOWN)
        assert late.embedding.item_id == "podcast-01"
        await asyncio.sleep(0.4)
        assert not slow.done()
        featurizer.hold.set()
        assert (await slow).embedding.featurizer == "flaky"
        watch.cancel()
        await stopping
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _embed(channel, KNOWN)
    assert seen == [SERVING, NOT_SERVING]
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


WATCH = (
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/grpc.health.v1.Health/Watch"),
    (":authority", "localhost"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
)


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Write a frame of HTTP/2. Source: RFC 9113, section 4.1."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


async def _watch_without_reading(port: int) -> asyncio.StreamWriter:
    """Ask for Watch and give the server no room to answer; returns once the call is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    no_window = _frame(0x4, 0, 0, struct.pack(">HI", 0x4, 0))  # SETTINGS_INITIAL_WINDOW_SIZE
    headers = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in WATCH)
    request = b"\0" + struct.pack(">I", 0)  # an empty message: the server as a whole
    writer.write(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + no_window
        + _frame(0x1, 0x4, 1, headers)
        + _frame(0x0, 0x1, 1, request)
    )
    kind = None
    while kind != 0x1:  # the answer's headers, which need no window
        head = await reader.readexactly(9)
        kind = head[3]
        await reader.readexactly(int.from_bytes(head[:3]))
    return writer


async def test_watcher_that_does_not_read_keeps_nobody_from_hearing_and_no_drain_from_ending(
    engine: Engine,
) -> None:
    app = App(engine, make_texts(engine, FlakyFeaturizer()), make_settings(grace_s=0.2))
    await app.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
        silent = await asyncio.wait_for(_watch_without_reading(app.port), 10)
        watch = make_health_stub(channel).Watch(health_pb2.HealthCheckRequest())
        seen = [(await watch.read()).status]
        await asyncio.wait_for(app.stop(), 10)
        seen.append((await watch.read()).status)
        assert await watch.read() is grpc.aio.EOF
    silent.close()
    assert seen == [SERVING, NOT_SERVING]


async def _embed(
    channel: grpc.aio.Channel, request: embedding_pb2.EmbedItemRequest
) -> embedding_pb2.EmbedItemResponse:
    call: grpc.aio.UnaryUnaryMultiCallable[
        embedding_pb2.EmbedItemRequest, embedding_pb2.EmbedItemResponse
    ] = channel.unary_unary(
        "/nearfield.v1.EmbeddingService/EmbedItem",
        request_serializer=embedding_pb2.EmbedItemRequest.SerializeToString,
        response_deserializer=embedding_pb2.EmbedItemResponse.FromString,
    )
    return await call(request)


async def test_call_that_outlives_the_grace_is_ended(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.hold.clear()
    app = App(engine, make_texts(engine, featurizer), make_settings(grace_s=0.1))
    await app.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
        slow = asyncio.ensure_future(_embed(channel, NEW))
        await asyncio.to_thread(featurizer.asked.wait, 10)
        await asyncio.wait_for(app.stop(), 5)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await slow
    assert caught.value.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


async def test_connections_end_with_age_and_no_call_does(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.hold.clear()
    async with running(engine, featurizer, connection_age_s=0.2) as client:
        slow = asyncio.ensure_future(_embed(client.channel, NEW))
        await asyncio.to_thread(featurizer.asked.wait, 10)
        ports: set[int] = set()
        until = time.monotonic() + 10
        while len(ports) < 4 and time.monotonic() < until:
            await _embed(client.channel, KNOWN)
            ports |= _connected(client.app.port)
        assert len(ports) >= 4
        assert not slow.done()
        featurizer.hold.set()
        assert (await slow).embedding.featurizer == "flaky"


def _connected(port: int) -> set[int]:
    """Tell from which ports of this process somebody is connected to one."""
    connections = psutil.Process().net_connections("tcp")
    return {each.laddr.port for each in connections if each.raddr and each.raddr.port == port}


async def test_connections_do_not_age_where_that_is_off(engine: Engine) -> None:
    async with running(engine, connection_age_s=0.0) as client:
        await _embed(client.channel, KNOWN)
        first = _connected(client.app.port)
        await asyncio.sleep(0.5)
        await _embed(client.channel, KNOWN)
        assert _connected(client.app.port) == first
        assert len(first) == 1


GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""All that a client of HTTP/2 has to say before its first call."""


@pytest.mark.parametrize("said", [b"", GREETING[:-1], GREETING], ids=["nothing", "half", "greeted"])
async def test_connections_that_say_nothing_more_are_closed(engine: Engine, said: bytes) -> None:
    async with running(
        engine, handshake_timeout_s=0.2, connection_idle_s=0.2, connection_age_s=0.0
    ) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.app.port)
        writer.write(said)
        with contextlib.suppress(ConnectionError):  # closed with what it had not read
            await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await _embed(client.channel, KNOWN)


async def test_port_in_use_is_an_error_not_half_of_the_calls(engine: Engine) -> None:
    async with running(engine) as client:
        second = App(
            engine, make_texts(engine, FlakyFeaturizer()), make_settings(port=client.app.port)
        )
        with pytest.raises(PortTakenError, match=str(client.app.port)):
            await second.start()


@pytest.mark.parametrize("reflected", [True, False])
async def test_reflection_lists_the_services_unless_switched_off(
    engine: Engine, *, reflected: bool
) -> None:
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    async with running(engine, reflection=reflected) as client:
        stub = make_reflection_stub(client.channel)
        call = stub.ServerReflectionInfo(iter([question]))
        if not reflected:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
            return
        answer = await call.read()
        listed = {service.name for service in answer.list_services_response.service}
        call.cancel()
    assert set(SERVICES) < listed


async def test_deadline_that_passes_ends_the_call(engine: Engine) -> None:
    async with running(engine, held(), fallback=held()) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW, timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await client.embedding.EmbedItem(KNOWN)


def held() -> FlakyFeaturizer:
    featurizer = FlakyFeaturizer()
    featurizer.hold.clear()
    return featurizer


async def test_call_without_a_deadline_gets_the_servers(engine: Engine) -> None:
    limits = {"default_deadline_ms": 100}
    async with running(engine, held(), fallback=held(), limits=limits) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert reason(rich_status(caught.value)) == "DEADLINE_PASSED"


async def test_job_of_a_client_that_left_is_dropped_from_the_queue(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.hold.clear()
    async with running(engine, featurizer, featurizer_workers=1) as client:
        first = client.embedding.EmbedItem(NEW)
        waiting = asyncio.ensure_future(_wait(first))
        await asyncio.to_thread(featurizer.asked.wait, 10)
        leaving = embedding_pb2.EmbedItemRequest(
            new_item=types_pb2.NewItem(item_type="podcast", title="Never read")
        )
        second = client.embedding.EmbedItem(leaving)
        await asyncio.sleep(0.1)
        second.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await second
        await asyncio.sleep(0.1)
        featurizer.hold.set()
        await waiting
        await client.embedding.EmbedItem(NEW)
    assert featurizer.calls == [["Out today."], ["Out today."]]


async def _wait(
    call: grpc.aio.UnaryUnaryCall[embedding_pb2.EmbedItemRequest, embedding_pb2.EmbedItemResponse],
) -> embedding_pb2.EmbedItemResponse:
    return await call


async def test_new_items_beyond_their_places_are_refused_at_once_with_a_time_to_retry(
    engine: Engine,
) -> None:
    featurizer = held()
    async with running(engine, featurizer, limits={"max_new_item_calls": 2}) as client:
        waiting = [asyncio.ensure_future(_wait(client.embedding.EmbedItem(NEW))) for _ in range(2)]
        await asyncio.sleep(0.2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW)
        await client.embedding.EmbedItem(KNOWN)
        health = make_health_stub(client.channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
        featurizer.hold.set()
        await asyncio.gather(*waiting)
        await client.embedding.EmbedItem(NEW)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    status = rich_status(caught.value)
    assert reason(status) == "OVERLOADED"
    assert retry_s(status) == 0.5
    assert status.message == "all of the server's 2 places for calls with new items are taken"


@pytest.mark.parametrize(
    "method", ["EmbedItem", "BatchEmbedItems", "FindSimilarItems", "BatchFindSimilarItems"]
)
async def test_however_many_new_items_hang_the_rest_is_answered(
    engine: Engine, method: str
) -> None:
    limits = Limits()
    async with running(engine, held(), pending_calls=1000) as client:
        hanging = [
            asyncio.ensure_future(_hang(client, method))
            for _ in range(2 * limits.max_concurrent_calls)
        ]
        over = len(hanging) - limits.max_new_item_calls
        async with asyncio.timeout(30):  # a busy machine takes its time to refuse them
            for refusal in itertools.islice(asyncio.as_completed(hanging), over):
                with contextlib.suppress(Lost):
                    await refusal
        refused = [each for each in hanging if each.done()]
        assert len(refused) == over
        codes = {error.code() for each in refused if isinstance(error := each.exception(), Lost)}
        assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        request = pb.RecommendRequest(user=types_pb2.UserInput(user_id="user-1"), k=3)
        answers = await asyncio.gather(
            *(
                asyncio.ensure_future(_recommend(client.channel, request))
                for _ in range(limits.max_concurrent_calls)
            )
        )
        assert {len(answer.recommendation.hits) for answer in answers} == {3}
        await client.embedding.EmbedItem(KNOWN, timeout=5)
        for each in hanging:
            each.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)


async def test_burst_is_refused_with_a_time_to_come_back(engine: Engine) -> None:
    """Nobody looks at calls for a while, and then at many at once."""
    burst = 500
    async with running(engine, limits={"max_concurrent_calls": 2}, pending_calls=1000) as client:
        with grpc.insecure_channel(f"127.0.0.1:{client.app.port}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(RECOMMEND)
            history = [types_pb2.HistoryEvent(item_id="podcast-01")]
            computed = pb.RecommendRequest(user=types_pb2.UserInput(history=history), k=3)
            data = computed.SerializeToString()
            await asyncio.to_thread(call, data)
            calls = [call.future(data) for _ in range(burst)]
            time.sleep(0.5)  # noqa: ASYNC251 - this is the event loop that has no time
            codes = [await asyncio.to_thread(each.code) for each in calls]
            details = [dict(each.trailing_metadata() or ()) for each in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    for code, trailers in zip(codes, details, strict=True):
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
            packed = trailers["grpc-status-details-bin"]
            assert isinstance(packed, bytes)
            status = Status.FromString(packed)
            assert reason(status) == "OVERLOADED"
            assert retry_s(status) == 0.5


async def test_calls_beyond_those_that_grpc_keeps_are_turned_away(engine: Engine) -> None:
    async with running(engine, pending_calls=8) as client:
        with grpc.insecure_channel(f"127.0.0.1:{client.app.port}") as channel:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(EMBED_ITEM)
            data = KNOWN.SerializeToString()
            await asyncio.to_thread(call, data)
            calls = [call.future(data) for _ in range(40)]
            time.sleep(0.5)  # noqa: ASYNC251 - this is the event loop that has no time
            codes = [await asyncio.to_thread(each.code) for each in calls]
        after = await client.embedding.EmbedItem(KNOWN)
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED}
    assert codes.count(grpc.StatusCode.OK) <= 8 + 2  # those that gRPC had handed over before
    assert after.embedding.item_id == "podcast-01"


Lost = grpc.aio.AioRpcError


async def _hang(client: Client, method: str) -> None:
    similar = pb.FindSimilarItemsRequest(new_item=NEW.new_item)
    match method:
        case "EmbedItem":
            await client.embedding.EmbedItem(NEW)
        case "BatchEmbedItems":
            batch = embedding_pb2.BatchEmbedItemsRequest(requests=[KNOWN, NEW])
            await client.embedding.BatchEmbedItems(batch)
        case "FindSimilarItems":
            await client.recommendation.FindSimilarItems(similar)
        case "BatchFindSimilarItems":
            many = pb.BatchFindSimilarItemsRequest(requests=[similar])
            await client.recommendation.BatchFindSimilarItems(many)


async def test_fault_of_ours_tells_the_caller_nothing_but_the_request_id(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.failure = ZeroDivisionError("password is swordfish")
    async with running(engine, featurizer) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(
                NEW, metadata=(("x-request-id", "find me in the log"),)
            )
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    status = rich_status(caught.value)
    assert reason(status) == "FAULT"
    assert "swordfish" not in str(status)
    assert "find me in the log" in caplog.text
    assert "swordfish" in caplog.text
    assert "Traceback" in caplog.text


async def test_featurizer_that_fails_fills_the_log_with_no_tracebacks(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.failure = FeaturizerBadAnswer("expected numbers, got letters")
    async with running(engine, featurizer) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW, metadata=(("x-request-id", "find me"),))
    assert reason(rich_status(caught.value)) == "FEATURIZER_FAILED"
    assert "find me failed: expected numbers, got letters" in caplog.text
    assert "Traceback" not in caplog.text


async def test_many_callers_at_once_get_what_they_would_get_alone(engine: Engine) -> None:
    requests = [
        pb.RecommendRequest(user=types_pb2.UserInput(user_id=f"user-{n % 20}"), k=1 + n % 7)
        for n in range(60)
    ]
    async with running(engine) as client:
        alone = [(await client.recommendation.Recommend(each)) for each in requests]
        together = await asyncio.gather(
            *(asyncio.ensure_future(_recommend(client.channel, each)) for each in requests)
        )
    for one, other in zip(alone, together, strict=True):
        assert [hit.item_id for hit in one.recommendation.hits] == [
            hit.item_id for hit in other.recommendation.hits
        ]


async def _recommend(
    channel: grpc.aio.Channel, request: pb.RecommendRequest
) -> pb.RecommendResponse:
    call: grpc.aio.UnaryUnaryMultiCallable[pb.RecommendRequest, pb.RecommendResponse] = (
        channel.unary_unary(
            "/nearfield.v1.RecommendationService/Recommend",
            request_serializer=pb.RecommendRequest.SerializeToString,
            response_deserializer=pb.RecommendResponse.FromString,
        )
    )
    return await call(request)


async def test_server_info_tells_versions_generation_and_every_limit(engine: Engine) -> None:
    manifest = engine.generation.manifest
    async with running(engine, limits={"max_k": 77}) as client:
        answer = await client.info.GetServerInfo(info_pb2.GetServerInfoRequest(request_id="me"))
    assert answer.info.request_id == "me"
    assert answer.info.generation == answer.generation.name == manifest.generation
    assert answer.generation.space_id == manifest.space_id
    assert answer.generation.create_time.ToJsonString() == manifest.created
    assert answer.generation.as_of_time.ToJsonString() == manifest.as_of
    assert answer.generation.vector_dimensions == 16
    assert (answer.generation.items, answer.generation.users) == (60, 20)
    assert [(each.item_type, each.items) for each in answer.generation.item_types] == [
        ("audiobook", 30),
        ("podcast", 30),
    ]
    assert list(answer.generation.content_relations) == ["creator"]
    assert answer.generation.index_kind == "exact"
    assert answer.featurizer.revision == manifest.featurizer.revision
    assert answer.featurizer.serving == "flaky"
    assert answer.execution_provider == "CPUExecutionProvider"
    assert answer.versions.api == "nearfield.v1"
    assert answer.versions.onnxruntime.count(".") == 2
    published = {field.name: value for field, value in answer.limits.ListFields()}
    expected = Limits(max_k=77).model_dump()
    expected["max_model_history_events"] = manifest.history_length
    assert published.keys() == expected.keys()
    for name, value in expected.items():
        assert published[name] == pytest.approx(value)
