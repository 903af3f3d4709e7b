"""A server of the same kind whose methods do nothing: what the wire alone costs.

python -m benchmarks.serving.empty PORT REPLY_BYTES

It reads a request and answers with a message of the given length, by grpc.aio, as the server does.
"""

import asyncio
import sys

import grpc

from nearfield.v1 import recommendation_pb2 as pb
from server.methods import METHODS


async def serve(port: int, reply_bytes: int) -> None:
    """Answer until the process is ended."""
    answer = pb.RecommendResponse()
    answer.info.request_id = "x" * max(0, reply_bytes - 6)

    async def empty(request: object, context: object) -> pb.RecommendResponse:
        return answer

    server = grpc.aio.server(options=[("grpc.so_reuseport", 1)])
    for service in {method.service for method in METHODS.values()}:
        handlers = {
            method.name: grpc.unary_unary_rpc_method_handler(
                empty,
                method.request.FromString,
                pb.RecommendResponse.SerializeToString,
            )
            for method in METHODS.values()
            if method.service == service
        }
        generic = grpc.method_handlers_generic_handler(service, handlers)
        server.add_generic_rpc_handlers((generic,))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
