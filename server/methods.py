"""The RPCs of our services, read from the contract: the one list that handlers are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2

FILES = (embedding_pb2, recommendation_pb2, info_pb2)


@dataclass(frozen=True)
class Method:
    """One unary RPC."""

    service: str
    """Full name of its service."""
    name: str
    request: type[Message]

    @property
    def path(self) -> str:
        """What goes on the wire."""
        return f"/{self.service}/{self.name}"


def _method(descriptor: MethodDescriptor) -> Method:
    service = descriptor.containing_service.full_name
    return Method(service, descriptor.name, GetMessageClass(descriptor.input_type))


METHODS: Mapping[str, Method] = {
    method.path: method
    for file in FILES
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in map(_method, service.methods)
}
"""By path."""

SERVICES = tuple(dict.fromkeys(method.service for method in METHODS.values()))
