"""A real server and real channels for the tests of what crosses the wire."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc

from server.errors import ServiceError
from server.security.callers import Caller
from server.security.gate import Gate
from server.security.roles import check_role, role_needed
from server.statuses import row_of, to_status
from tests.server.security.support import Pair

STATUS_KEY = "grpc-status-details-bin"
METHOD = "/nearfield.v1.InfoService/GetServerInfo"
ALONE = [("grpc.use_local_subchannel_pool", 1)]
"""Every channel connects anew."""

Reply = Callable[[Caller], bytes]
Context = grpc.aio.ServicerContext[bytes, bytes]


def echo() -> grpc.GenericRpcHandler:
    """Answer every call with what it sent."""

    async def answer(request: bytes, context: Context) -> bytes:
        return request

    return _handler(answer)


def name_of(caller: Caller) -> bytes:
    """Write who calls."""
    return caller.name.encode()


def guarded(gate: Gate, reply: Reply = name_of) -> grpc.GenericRpcHandler:
    """Answer each caller that the gate lets in."""
    needed = role_needed(METHOD)

    async def answer(request: bytes, context: Context) -> bytes:
        metadata = context.invocation_metadata()
        try:
            caller = gate.authenticator.authenticate(metadata, context.auth_context)
            check_role(caller, needed)
            with gate.rates.admit(caller) as account:
                account.charge(1)
                return reply(caller)
        except ServiceError as error:
            status = to_status(error, "")
            trailers = ((STATUS_KEY, status.SerializeToString()),)
            await context.abort(row_of(error).code, status.message, trailers)
        raise AssertionError("abort raises")

    return _handler(answer)


@asynccontextmanager
async def channel(
    address: str, root: bytes, client: Pair | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    """Connect by TLS, believing one authority."""
    pair = (None, None) if client is None else (client.key, client.chain)
    credentials = grpc.ssl_channel_credentials(root, *pair)
    async with grpc.aio.secure_channel(address, credentials, options=ALONE) as opened:
        yield opened


async def ask(opened: grpc.aio.Channel, *metadata: tuple[str, str]) -> bytes:
    """Make a call and return its answer."""
    method: Any = opened.unary_unary(METHOD)
    answer: bytes = await method(b"hello", timeout=20, metadata=metadata)
    return answer


async def call(opened: grpc.aio.Channel) -> grpc.StatusCode | None:
    """Make a call; None where it is answered, else why not."""
    try:
        await ask(opened)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return None


def _handler(answer: Any) -> grpc.GenericRpcHandler:  # noqa: ANN401  a coroutine function
    service, method = METHOD.removeprefix("/").split("/")
    return grpc.method_handlers_generic_handler(
        service, {method: grpc.unary_unary_rpc_method_handler(answer)}
    )
