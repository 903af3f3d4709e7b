"""Whatever is sent is answered, or refused as the caller's fault; never is it a fault of ours."""

import asyncio
from collections.abc import Iterator, Sequence

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.generation import Generation
from server.engine import Engine
from server.methods import METHODS, Method
from tests.server.strategies import Known, messages
from tests.server.support import running

CALLERS_FAULT = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
}
OURS = sorted(METHODS.values(), key=lambda method: method.path)


async def codes(engine: Engine, path: str, bodies: Sequence[bytes]) -> list[grpc.StatusCode]:
    """Send bytes to a real server, and tell how each call ended."""
    async with running(engine) as client:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(path)
        return [await _code(call, each) for each in bodies]


async def _code(
    call: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", body: bytes
) -> grpc.StatusCode:
    try:
        await call(body, timeout=20)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.fixture(scope="module")
def known(generation: Generation) -> Known:
    """Values that the tiny generation knows, beside some that nobody does."""
    width = generation.manifest.dimensions.vector
    items = [generation.item_ids.id(row) for row in range(4)]
    return {
        "user_id": [generation.user_ids.id(0), "nobody"],
        "item_id": [*items, "nothing"],
        "include_item_ids": items,
        "exclude_item_ids": items,
        "related_item_ids": items,
        "item_type": list(generation.manifest.item_types),
        "item_types": list(generation.manifest.item_types),
        "space_id": [generation.manifest.space_id],
        "dimensions": [width],
        "data": [generation.item_vectors[0].tobytes(), bytes(4 * width)],
        "k": [1, 3, 1000],
    }


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


HUNDREDS = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)
"""Of lists of requests, for each method: a few hundred requests in all."""


@pytest.mark.parametrize("method", OURS, ids=lambda method: method.name)
@HUNDREDS
@given(data=st.data())
def test_any_message_of_the_contract_is_answered_or_the_callers_fault(
    engine: Engine,
    known: Known,
    loop: asyncio.AbstractEventLoop,
    method: Method,
    data: st.DataObject,
) -> None:
    requests = data.draw(st.lists(messages(method.request, known), min_size=1, max_size=8))
    bodies = [each.SerializeToString() for each in requests]
    assert set(loop.run_until_complete(codes(engine, method.path, bodies))) <= CALLERS_FAULT


@pytest.mark.parametrize("method", OURS, ids=lambda method: method.name)
@HUNDREDS
@given(bodies=st.lists(st.binary(max_size=200), min_size=1, max_size=20))
def test_any_bytes_are_answered_or_the_callers_fault(
    engine: Engine, loop: asyncio.AbstractEventLoop, method: Method, bodies: list[bytes]
) -> None:
    assert set(loop.run_until_complete(codes(engine, method.path, bodies))) <= CALLERS_FAULT
