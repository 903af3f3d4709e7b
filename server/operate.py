"""What operators do from a shell: `python -m server.operate`, which asks a server's admin port.

    python -m server.operate --target 127.0.0.1:50052 list
    python -m server.operate activate 00f58ec54e461364
    python -m server.operate roll-back
    python -m server.operate publish OUT/generations/00f58ec54e461364 --activate
    python -m server.operate workers

The API key is read from NEARFIELD_API_KEY, so that no list of processes shows it. Exit status: 0
done, 1 the server refused or cannot be reached, 2 wrong arguments.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
from google.protobuf.json_format import MessageToDict, MessageToJson
from google.protobuf.message import Message

from export.generation.manifest import MANIFEST_FILE
from nearfield.addresses import addresses_of
from nearfield.channel import Route
from nearfield.command.table import Table
from nearfield.connection import Connection
from nearfield.errors import ArgumentError
from nearfield.statuses import by_way_of
from nearfield.tls import Tls
from nearfield.v1 import admin_pb2 as pb
from nearfield.v1.admin_pb2_grpc import AdminServiceStub

PORT = 50052
TARGET = f"127.0.0.1:{PORT}"
PIECE_BYTES = 1 << 20
REFUSED, WRONG = 1, 2
Stub = Any  # AdminServiceStub, whose methods the stubs give two types


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one thing, and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        tls = Tls(options.ca, options.cert, options.key) if options.ca else None
        connection = Connection(tls=tls, token=os.environ.get("NEARFIELD_API_KEY", ""))
        (address,) = addresses_of([options.target], PORT)
        connection.check_token([address])
        credentials = connection.channel_credentials()
    except ArgumentError as error:
        sys.stderr.write(f"operate: {error}\n")
        return WRONG
    route = Route.to(address)
    channel = (
        grpc.insecure_channel(route.target, route.arguments)
        if credentials is None
        else grpc.secure_channel(route.target, credentials, route.arguments)
    )
    with channel:
        try:
            answer = options.does(AdminServiceStub(channel), options, connection.metadata_for(""))
        except grpc.RpcError as error:
            code: Any = error
            details = by_way_of(route.proxy, code.details())
            sys.stderr.write(f"operate: {code.code().name}: {details}\n")
            return REFUSED
    if options.json:
        sys.stdout.write(MessageToJson(answer, preserving_proto_field_name=True) + "\n")
    else:
        _show(answer)
    return 0


def _list(stub: Stub, options: argparse.Namespace, metadata: object) -> Message:
    answer: Message = stub.ListGenerations(pb.ListGenerationsRequest(), metadata=metadata)
    return answer


def _activate(stub: Stub, options: argparse.Namespace, metadata: object) -> Message:
    request = pb.ActivateGenerationRequest(name=options.name)
    answer: Message = stub.ActivateGeneration(request, metadata=metadata)
    return answer


def _roll_back(stub: Stub, options: argparse.Namespace, metadata: object) -> Message:
    answer: Message = stub.RollBackGeneration(pb.RollBackGenerationRequest(), metadata=metadata)
    return answer


def _publish(stub: Stub, options: argparse.Namespace, metadata: object) -> Message:
    pieces = messages(options.folder, activate=options.activate)
    answer: Message = stub.PublishGeneration(pieces, metadata=metadata)
    return answer


def _workers(stub: Stub, options: argparse.Namespace, metadata: object) -> Message:
    answer: Message = stub.ListWorkers(pb.ListWorkersRequest(), metadata=metadata)
    return answer


def messages(folder: Path, *, activate: bool) -> Iterator[pb.PublishGenerationRequest]:
    """Cut a generation into the messages that bring it.

    Raises:
        OSError: a file cannot be read.
    """
    manifest = (folder / MANIFEST_FILE).read_bytes()
    yield pb.PublishGenerationRequest(head=pb.GenerationHead(manifest=manifest, activate=activate))
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        name = path.relative_to(folder).as_posix()
        if name == MANIFEST_FILE:
            continue
        with path.open("rb") as file:
            while data := file.read(PIECE_BYTES):
                yield pb.PublishGenerationRequest(piece=pb.FilePiece(path=name, data=data))


def _show(answer: Message) -> None:
    """Lay an answer out as a table."""
    fields = MessageToDict(
        answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    rows = fields.get("generations") or fields.get("workers") or [fields.get("generation", {})]
    if not rows or not rows[0]:
        return
    table = Table(list(rows[0]), sys.stdout.write)
    for row in rows:
        table.add([row.get(name, "") for name in rows[0]])
    table.end()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server.operate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "--target",
        default=TARGET,
        help=f"the admin port, {PORT} where it names none; default: %(default)s",
    )
    add("--ca", type=Path, help="authorities that are believed, in PEM; TLS where it is given")
    add("--cert", type=Path, help="certificate of one's own, in PEM, for mutual TLS")
    add("--key", type=Path, help="its key")
    add("--json", action="store_true", help="write the answer as JSON")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, does: Callable[..., Message], text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(does=does)
        return made

    command("list", _list, "list the generations, newest first")
    text = "let a generation answer, once it has passed its trial"
    command("activate", _activate, text).add_argument("name", help="as `list` gives it")
    command("roll-back", _roll_back, "let the generation answer that answered before this one")
    publish = command("publish", _publish, "send a generation to the server")
    publish.add_argument("folder", type=_generation, help="the generation's own folder")
    publish.add_argument("--activate", action="store_true", help="let it answer as well")
    command("workers", _workers, "tell how the workers are")
    return parser


def _generation(text: str) -> Path:
    path = Path(text)
    if not (path / MANIFEST_FILE).is_file():
        raise argparse.ArgumentTypeError(f"{text} holds no {MANIFEST_FILE}")
    return path


if __name__ == "__main__":
    sys.exit(main())
