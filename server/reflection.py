# ruff: noqa: N802 - the method has the name that gRPC gives the RPC
"""Reflection for those alone who may call the services that it describes."""

from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

from grpc_reflection.v1alpha import reflection, reflection_pb2

from server.errors import ServiceError
from server.message_reader import Context
from server.security.gate import Gate
from server.security.roles import check_role, role_needed
from server.surround import abort, refusal_of

METHOD = f"/{reflection.SERVICE_NAME}/ServerReflectionInfo"


_Servicer: Any = reflection.aio.ReflectionServicer  # has no types


class Reflection(_Servicer):  # type: ignore[misc]  # for the same reason
    """Describes some services."""

    def __init__(self, services: Iterable[str], gate: Gate) -> None:
        super().__init__(services)
        self._gate = gate
        self._needed = role_needed(METHOD)

    async def ServerReflectionInfo(
        self, requests: AsyncIterable[reflection_pb2.ServerReflectionRequest], context: Context
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """Answer questions about the services."""
        refusal = None
        try:
            metadata = context.invocation_metadata()
            caller = self._gate.authenticator.authenticate(metadata, context.auth_context)
            check_role(caller, self._needed)
        except ServiceError as error:
            refusal = refusal_of(error, uuid4().hex)
        if refusal is not None:
            await abort(context, refusal)
        async for response in super().ServerReflectionInfo(requests, context):
            yield response
