"""A server whose methods do nothing: what the wire alone costs.

python -m benchmarks.serving.empty PORT REPLY_BYTES [KIND]

It reads a request and answers with a message of the given length. KIND is one of `KINDS`; grpc.aio,
as the server, is the first.
"""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from nearfield.v1 import recommendation_pb2 as pb
from server.methods import METHODS

KINDS = ("aio", "uvloop", "threads")
THREADS = 8


def main(port: int, reply_bytes: int, kind: str = KINDS[0]) -> None:
    """Answer until the process is ended."""
    if kind == "threads":
        server = grpc.server(ThreadPoolExecutor(THREADS), options=[("grpc.so_reuseport", 1)])
        _add(server, reply_bytes, waits=False)
        server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        server.wait_for_termination()
    elif kind == "uvloop":
        import uvloop  # noqa: PLC0415 - of `make bench-venv`

        uvloop.run(_serve(port, reply_bytes))
    else:
        asyncio.run(_serve(port, reply_bytes))


async def _serve(port: int, reply_bytes: int) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    _add(server, reply_bytes, waits=True)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def _add(server: Any, reply_bytes: int, *, waits: bool) -> None:  # noqa: ANN401 - of either kind
    answer = pb.RecommendResponse()
    answer.info.request_id = "x" * max(0, reply_bytes - 6)

    def empty(request: object, context: object) -> pb.RecommendResponse:
        return answer

    async def awaited(request: object, context: object) -> pb.RecommendResponse:
        return answer

    behaviour: Any = awaited if waits else empty
    for service in {method.service for method in METHODS.values()}:
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                behaviour,
                method.request.FromString,
                pb.RecommendResponse.SerializeToString,
            )
            for method in METHODS.values()
            if method.service == service
        }
        generic = grpc.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
