"""Reflection for those alone who may call the services that it describes.

Served as `grpc.reflection.v1` and, for older tools, as `grpc.reflection.v1alpha`. Both have the
same messages on the wire, and grpcio-reflection has those of v1alpha alone.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any
from uuid import uuid4

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError
from grpc_reflection.v1alpha import reflection, reflection_pb2

from server.errors import InvalidRequestError, ServiceError, Violation
from server.message_reader import Context, decompressed
from server.places import Places
from server.request_parser import no_message
from server.security.gate import Gate
from server.security.roles import check_role, role_needed
from server.surround import Refusal, abort, refusal_of

OLDER: str = reflection.SERVICE_NAME
SERVICES = ("grpc.reflection.v1.ServerReflection", OLDER)
METHOD = "ServerReflectionInfo"
MOST_BYTES = 4096
"""Longest question; it holds a name."""
MOST_CALLS = 8
"""At once. One stays open for as long as its caller likes."""
_Request = reflection_pb2.ServerReflectionRequest
_Response = reflection_pb2.ServerReflectionResponse


class Reflection:
    """Describes some services; for one event loop."""

    def __init__(self, services: Iterable[str], gate: Gate) -> None:
        names = (*services, *SERVICES)
        servicer: Any = reflection.aio.ReflectionServicer  # has no types
        self._servicer = servicer(names, _Pool())
        self._gate = gate
        self._needed = role_needed(f"/{OLDER}/{METHOD}")
        self._places = Places(MOST_CALLS, "reflection")

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """Make what gRPC calls."""
        behavior: Any = self._answer  # an async generator function, which the stubs cannot say
        handler: Any = grpc.stream_stream_rpc_method_handler(
            behavior, None, _Response.SerializeToString
        )
        return tuple(
            grpc.method_handlers_generic_handler(service, {METHOD: handler}) for service in SERVICES
        )

    async def _answer(self, messages: object, context: Context) -> AsyncIterator[_Response]:
        refusal: Refusal | None = None
        try:
            metadata = context.invocation_metadata()
            caller = self._gate.authenticator.authenticate(metadata, context.auth_context)
            check_role(caller, self._needed)
            with self._gate.rates.admit(caller) as account, self._places.one():
                account.charge(1.0)
                async for response in self._servicer.ServerReflectionInfo(
                    _questions(context), context
                ):
                    yield response
        except ServiceError as error:
            refusal = refusal_of(error, uuid4().hex)
        if refusal is not None:
            await abort(context, refusal)


async def _questions(context: Context) -> AsyncIterator[_Request]:
    """Read questions one by one; nothing of them is read before the caller is known."""
    while (data := await context.read()) is not grpc.aio.EOF:
        if len(data) > MOST_BYTES:
            problem = f"expected at most {MOST_BYTES} bytes, got {len(data)}"
            raise InvalidRequestError((Violation("request", problem),))
        try:
            question = _Request.FromString(decompressed(data, MOST_BYTES))
        except DecodeError:
            raise no_message() from None
        yield question


class _Pool:
    """The descriptors of this process, which finds methods and fields by name as well."""

    def __init__(self) -> None:
        self._inner: Any = descriptor_pool.Default()
        _add_newer(self._inner)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the servicer asks for
        return getattr(self._inner, name)

    def FindFileContainingSymbol(self, symbol: str) -> FileDescriptor:  # noqa: N802 - as of a pool
        """Find the file of a message, an enum, a service, a method or a field.

        Raises:
            KeyError: there is none of this name.
        """
        try:
            found: FileDescriptor = self._inner.FindFileContainingSymbol(symbol)
        except KeyError:
            parent, _, name = symbol.rpartition(".")
            found = self._inner.FindFileContainingSymbol(parent)
            if name not in _members(self._inner, parent):
                raise
        return found


def _members(pool: Any, parent: str) -> Iterable[str]:  # noqa: ANN401 - a descriptor pool
    """Name the methods of a service, or the fields of a message."""
    try:
        methods: Iterable[str] = pool.FindServiceByName(parent).methods_by_name
    except KeyError:
        fields: Iterable[str] = pool.FindMessageTypeByName(parent).fields_by_name
        return fields
    return methods


def _add_newer(pool: Any) -> None:  # noqa: ANN401 - a descriptor pool
    """Describe `grpc.reflection.v1` as well: the older file under its newer names."""
    content = FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(content)
    older, newer = f"{content.package}.", f"{content.package.removesuffix('alpha')}."
    content.name = content.name.replace("v1alpha", "v1")
    content.package = newer.removesuffix(".")
    for message in content.message_type:
        for field in message.field:
            if field.type_name:
                field.type_name = field.type_name.replace(older, newer)
    for method in content.service[0].method:
        method.input_type = method.input_type.replace(older, newer)
        method.output_type = method.output_type.replace(older, newer)
    pool.AddSerializedFile(content.SerializeToString())
