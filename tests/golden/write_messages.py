"""Write messages of the contract with every field set: `python -m tests.golden.write_messages`.

What is committed was written by the contract as it was first released. It is never written anew:
the test beside it says that these bytes are read for ever.
"""

import json
import sys
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from nearfield.v1 import admin_pb2, embedding_pb2, info_pb2, recommendation_pb2

FILES: tuple[Any, ...] = (admin_pb2, embedding_pb2, info_pb2, recommendation_pb2)
PACKAGE = "nearfield.v1."
DEEPEST = 6


def main() -> int:
    """Write them as JSON to standard output."""
    written = {}
    for name, kind in requests_and_answers().items():
        message = kind()
        fill(message)
        written[name] = {
            "bytes": message.SerializeToString(deterministic=True).hex(),
            "content": MessageToDict(message, preserving_proto_field_name=True),
        }
    sys.stdout.write(json.dumps(written, indent=1, sort_keys=True) + "\n")
    return 0


def requests_and_answers() -> dict[str, type[Message]]:
    """List the messages of all methods by name."""
    return {
        kind.full_name: GetMessageClass(kind)
        for file in FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        for kind in (method.input_type, method.output_type)
    }


def fill(message: Message, depth: int = 0) -> None:
    """Set every field; of a oneof, the last."""
    for field in message.DESCRIPTOR.fields:
        if field.message_type is not None and depth == DEEPEST:
            continue
        target: Any = message
        if field.message_type is not None:
            inner = getattr(target, field.name)
            inner = inner.add() if field.is_repeated else inner
            inner.SetInParent()
            if field.message_type.full_name.startswith(PACKAGE):
                fill(inner, depth + 1)
        elif field.is_repeated:
            getattr(target, field.name).extend([_value(field)] * 2)
        else:
            setattr(target, field.name, _value(field))


def _value(field: Any) -> object:  # noqa: ANN401 - a field of the Python parser or of upb
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_STRING:
        return field.name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return field.name.encode()
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return field.number + 0.5
    return field.number


if __name__ == "__main__":
    sys.exit(main())
