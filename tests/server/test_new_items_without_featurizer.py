import asyncio

import grpc
import pytest

from features.errors import FeaturizerBadAnswer, FeaturizerRefused
from nearfield.v1 import embedding_pb2 as pb
from nearfield.v1 import types_pb2
from server.app import App
from server.engine import Engine
from server.texts import DEFAULTS, Texts
from tests.server.support import (
    FlakyFeaturizer,
    codes,
    make_settings,
    reason,
    retry_s,
    rich_status,
    running,
)

NEW = pb.EmbedItemRequest(new_item=types_pb2.NewItem(item_type="podcast", title="Out today"))


async def test_new_item_is_unavailable_with_a_time_to_retry(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.away = True
    async with running(engine, featurizer) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW)
        batch = await client.embedding.BatchEmbedItems(
            pb.BatchEmbedItemsRequest(requests=[NEW, pb.EmbedItemRequest(item_id="podcast-01")])
        )
    status = rich_status(caught.value)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert reason(status) == "FEATURIZER_UNAVAILABLE"
    assert retry_s(status) == 5.0
    assert "secret" not in status.message
    assert [each.status.code for each in batch.results] == [14, 0]


async def test_new_items_are_served_again_when_the_featurizer_is_back(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.away = True
    async with running(engine, featurizer) as client:
        with pytest.raises(grpc.aio.AioRpcError):
            await client.embedding.EmbedItem(NEW)
        featurizer.away = False
        await asyncio.sleep(DEFAULTS.first_rest_s)
        answer = await client.embedding.EmbedItem(NEW)
    assert answer.embedding.featurizer == "flaky"


async def test_other_encoder_behind_the_same_address_is_refused(engine: Engine) -> None:
    async with running(engine, FlakyFeaturizer(revision="another")) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    status = rich_status(caught.value)
    assert reason(status) == "FEATURIZER_MISMATCH"
    assert "another" in status.message
    assert retry_s(status) is None


async def test_the_other_featurizer_steps_in_and_the_answer_says_so(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    fallback = FlakyFeaturizer(name="spare")
    async with running(engine, featurizer, fallback=fallback) as client:
        before = await client.embedding.EmbedItem(NEW)
        featurizer.away = True
        during = await client.embedding.EmbedItem(NEW)
    assert before.embedding.featurizer == "flaky"
    assert not before.embedding.warnings
    assert during.embedding.featurizer == "spare"
    assert codes(during.embedding.warnings) == {"FALLBACK_FEATURIZER"}
    assert before.embedding.vector == during.embedding.vector


@pytest.mark.parametrize(
    "failure", [FeaturizerRefused("401 for key sk-secret"), FeaturizerBadAnswer("sk-secret")]
)
async def test_failures_of_the_featurizer_do_not_leak_and_nothing_steps_in(
    engine: Engine, failure: Exception
) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.failure = failure
    spare = FlakyFeaturizer(name="spare")
    async with running(engine, featurizer, fallback=spare) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.embedding.EmbedItem(NEW)
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    status = rich_status(caught.value)
    assert reason(status) == "FEATURIZER_FAILED"
    assert "secret" not in str(status)
    assert not spare.calls


async def test_server_without_a_featurizer_says_so(engine: Engine) -> None:
    app = App(engine, Texts(None, None), make_settings())
    await app.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
        call = channel.unary_unary(
            "/nearfield.v1.EmbeddingService/EmbedItem",
            request_serializer=pb.EmbedItemRequest.SerializeToString,
            response_deserializer=pb.EmbedItemResponse.FromString,
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(NEW)
    await app.stop()
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert reason(rich_status(caught.value)) == "FEATURIZER_MISSING"


async def test_held_up_featurizer_holds_up_nothing_else(engine: Engine) -> None:
    featurizer = FlakyFeaturizer()
    featurizer.hold.clear()
    async with running(engine, featurizer) as client:
        waiting = [asyncio.ensure_future(client.embedding.EmbedItem(NEW)) for _ in range(10)]
        await asyncio.sleep(0.05)
        for _ in range(20):
            await client.embedding.EmbedItem(pb.EmbedItemRequest(item_id="podcast-01"), timeout=2)
        assert not any(each.done() for each in waiting)
        featurizer.hold.set()
        answers = await asyncio.gather(*waiting)
    assert {answer.embedding.featurizer for answer in answers} == {"flaky"}
