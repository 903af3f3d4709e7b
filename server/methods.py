"""The RPCs of our services, read from the contract: the one list that handlers are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from nearfield.v1 import admin_pb2, embedding_pb2, info_pb2, recommendation_pb2


@dataclass(frozen=True)
class Method:
    """One RPC with one answer."""

    service: str
    """Full name of its service."""
    name: str
    request: type[Message]
    streaming: bool = False
    """Whether it takes a stream of requests."""

    @property
    def path(self) -> str:
        """What goes on the wire."""
        return f"/{self.service}/{self.name}"


def _method(descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service.full_name
    request = GetMessageClass(descriptor.input_type)
    return Method(service, descriptor.name, request, descriptor.client_streaming)


def methods_of(*files: FileDescriptor) -> Mapping[str, Method]:
    """List the RPCs of some files of the contract, by path."""
    return {
        method.path: method
        for file in files
        for service in file.services_by_name.values()
        for method in map(_method, service.methods)
    }


METHODS = methods_of(embedding_pb2.DESCRIPTOR, recommendation_pb2.DESCRIPTOR, info_pb2.DESCRIPTOR)
"""What workers answer, by path."""

SERVICES = tuple(dict.fromkeys(method.service for method in METHODS.values()))

ADMIN_METHODS = methods_of(admin_pb2.DESCRIPTOR)
"""What the supervisor answers, by path."""

ADMIN_SERVICE = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name
