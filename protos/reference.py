"""The API reference, from the comments of the contract: `make protos` writes docs/api.md.

python protos/reference.py DESCRIPTOR_SET > docs/api.md
"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

PACKAGE = "nearfield.v1"
HEAD = f"""# API reference

The contract `{PACKAGE}`, written from the comments in `protos/` by `make protos`; `make check`
holds this page to them. [requests.md](requests.md) explains what a request for items can say,
[sdk.md](sdk.md) the Python client. Every call takes the metadata key `x-request-id`; errors carry
`google.rpc.ErrorInfo` with a reason out of [ErrorReason](#errorreason).
"""
MESSAGES, ENUMS, SERVICES = 4, 5, 6
FIELDS, VALUES, METHODS = 2, 2, 2
"""Numbers of fields in descriptor.proto, of which the paths of comments are made."""
Kind = FieldDescriptorProto
SCALARS = {
    Kind.TYPE_DOUBLE: "double",
    Kind.TYPE_FLOAT: "float",
    Kind.TYPE_INT64: "int64",
    Kind.TYPE_UINT64: "uint64",
    Kind.TYPE_INT32: "int32",
    Kind.TYPE_UINT32: "uint32",
    Kind.TYPE_BOOL: "bool",
    Kind.TYPE_STRING: "string",
    Kind.TYPE_BYTES: "bytes",
}


class Comments:
    """What is written before each part of a file."""

    def __init__(self, file: FileDescriptorProto) -> None:
        self._by_path = {
            tuple(each.path): " ".join(each.leading_comments.split())
            for each in file.source_code_info.location
            if each.leading_comments
        }

    def of(self, *path: int) -> str:
        """Return a comment as one line."""
        return self._by_path.get(path, "").replace("|", "\\|")


def render(files: Sequence[FileDescriptorProto]) -> str:
    """Write the page."""
    ours = [file for file in files if file.package == PACKAGE]
    parts = [HEAD]
    for file in ours:
        comments = Comments(file)
        for number, service in enumerate(file.service):
            parts.extend(_service(service, comments, number))
    for file in ours:
        comments = Comments(file)
        for number, message in enumerate(file.message_type):
            parts.extend(_message(message, comments, number))
        for number, enum in enumerate(file.enum_type):
            parts.extend(_enum(enum, comments, number))
    return "\n".join(parts)


def _service(service: ServiceDescriptorProto, comments: Comments, number: int) -> Iterator[str]:
    yield f"## {service.name}\n\n{comments.of(SERVICES, number)}\n"
    yield "| RPC | request | answer | |\n|---|---|---|---|"
    for place, method in enumerate(service.method):
        asked = ("stream of " if method.client_streaming else "") + _link(method.input_type)
        about = comments.of(SERVICES, number, METHODS, place)
        yield f"| `{method.name}` | {asked} | {_link(method.output_type)} | {about} |"
    yield ""


def _message(message: DescriptorProto, comments: Comments, number: int) -> Iterator[str]:
    yield f"### {message.name}\n\n{comments.of(MESSAGES, number)}\n"
    if not message.field:
        return
    yield "| field | type | number | |\n|---|---|---:|---|"
    for place, field in enumerate(message.field):
        about = comments.of(MESSAGES, number, FIELDS, place)
        yield f"| `{field.name}` | {_type(field)} | {field.number} | {about} |"
    yield ""


def _enum(enum: EnumDescriptorProto, comments: Comments, number: int) -> Iterator[str]:
    yield f"### {enum.name}\n\n{comments.of(ENUMS, number)}\n"
    yield "| value | number | |\n|---|---:|---|"
    for place, value in enumerate(enum.value):
        yield f"| `{value.name}` | {value.number} | {comments.of(ENUMS, number, VALUES, place)} |"
    yield ""


def _type(field: FieldDescriptorProto) -> str:
    name = SCALARS.get(field.type) or _link(field.type_name)
    if field.label == Kind.LABEL_REPEATED:
        return f"repeated {name}"
    return f"optional {name}" if field.proto3_optional else name


def _link(name: str) -> str:
    """Link to what is on the page; others by their full name."""
    bare = name.removeprefix(f".{PACKAGE}.")
    return f"[{bare}](#{bare.lower()})" if bare != name else f"`{name[1:]}`"


def main() -> int:
    """Write the page to the standard output."""
    content = FileDescriptorSet.FromString(Path(sys.argv[1]).read_bytes())
    sys.stdout.write(render(content.file).rstrip() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
