"""Reflection over the wire, under both of its names."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import (
    ServerReflectionRequest,
    ServerReflectionResponse,
)

from server.engine import Engine
from server.methods import SERVICES
from server.reflection import MOST_BYTES, MOST_CALLS
from server.reflection import SERVICES as REFLECTION
from tests.server.support import running


@pytest.fixture
async def channel(engine: Engine) -> AsyncIterator[grpc.aio.Channel]:
    async with running(engine) as client:
        yield client.channel


def open_call(channel: grpc.aio.Channel, service: str = REFLECTION[0]) -> Any:  # noqa: ANN401
    method: Any = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        ServerReflectionRequest.SerializeToString,
        ServerReflectionResponse.FromString,
    )
    return method(timeout=20)


async def ask(
    channel: grpc.aio.Channel, question: ServerReflectionRequest, service: str = REFLECTION[0]
) -> ServerReflectionResponse:
    call = open_call(channel, service)
    await call.write(question)
    answer: ServerReflectionResponse = await call.read()
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    return answer


@pytest.mark.parametrize("service", REFLECTION)
async def test_all_services_are_listed_under_both_names(
    channel: grpc.aio.Channel, service: str
) -> None:
    answer = await ask(channel, ServerReflectionRequest(list_services=""), service)
    listed = {each.name for each in answer.list_services_response.service}
    assert listed == {*SERVICES, *REFLECTION, "grpc.health.v1.Health"}


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("nearfield.v1.RecommendationService", "nearfield/v1/recommendation.proto"),
        ("nearfield.v1.RecommendationService.Recommend", "nearfield/v1/recommendation.proto"),
        ("nearfield.v1.RecommendRequest", "nearfield/v1/recommendation.proto"),
        ("nearfield.v1.RecommendRequest.hit_options", "nearfield/v1/recommendation.proto"),
        ("nearfield.v1.Provenance", "nearfield/v1/types.proto"),
        ("grpc.health.v1.Health.Watch", "grpc_health/v1/health.proto"),
        ("grpc.reflection.v1.ServerReflection", "grpc_reflection/v1/reflection.proto"),
        ("grpc.reflection.v1alpha.ServerReflection", "grpc_reflection/v1alpha/reflection.proto"),
    ],
)
async def test_symbols_of_every_kind_are_described(
    channel: grpc.aio.Channel, symbol: str, file: str
) -> None:
    answer = await ask(channel, ServerReflectionRequest(file_containing_symbol=symbol))
    files = answer.file_descriptor_response.file_descriptor_proto
    assert file in {FileDescriptorProto.FromString(each).name for each in files}


@pytest.mark.parametrize(
    "symbol",
    ["", "nothing", "nearfield.v1.RecommendationService.Nothing", "nearfield.v1.Nothing.k"],
)
async def test_symbol_that_is_not_there_is_not_found(
    channel: grpc.aio.Channel, symbol: str
) -> None:
    answer = await ask(channel, ServerReflectionRequest(file_containing_symbol=symbol))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


async def test_compressed_question_is_read_up_to_the_same_length(engine: Engine) -> None:
    short = ServerReflectionRequest(file_containing_symbol="." * 200)  # gzip makes it shorter
    long = ServerReflectionRequest(file_containing_symbol="." * MOST_BYTES)
    async with running(engine) as client:
        address, gzip = f"127.0.0.1:{client.app.port}", grpc.Compression.Gzip
        async with grpc.aio.insecure_channel(address, compression=gzip) as channel:
            assert (await ask(channel, short)).original_request == short
            with pytest.raises(grpc.aio.AioRpcError, match="4096 bytes once it is decompressed"):
                await ask(channel, long)


async def test_long_question_is_refused(channel: grpc.aio.Channel) -> None:
    question = ServerReflectionRequest(file_containing_symbol="x" * MOST_BYTES)
    with pytest.raises(grpc.aio.AioRpcError, match="at most 4096 bytes") as caught:
        await ask(channel, question)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_few_calls_at_once_are_answered_and_others_told_to_come_back(
    channel: grpc.aio.Channel,
) -> None:
    question = ServerReflectionRequest(list_services="")
    held = [open_call(channel) for _ in range(MOST_CALLS)]
    for each in held:
        await each.write(question)
        await each.read()
    with pytest.raises(grpc.aio.AioRpcError, match="8 places for reflection") as caught:
        await ask(channel, question)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    for each in held:
        await each.done_writing()
        assert await each.read() is grpc.aio.EOF
    await ask(channel, question)
