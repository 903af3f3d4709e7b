"""`buf breaking`, as `make check` runs it, on contracts that break what was released."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT = Path(__file__).resolve().parents[2]
RELEASED = ROOT / "protos" / "released.binpb"
BUF = Path(sys.executable).parent / "buf"

Change = Callable[[FileDescriptorProto], None]


def remove_field(file: FileDescriptorProto) -> None:
    (message,) = (each for each in file.message_type if each.name == "RecommendRequest")
    (place,) = (n for n, field in enumerate(message.field) if field.name == "quotas")
    del message.field[place]


def rename_field(file: FileDescriptorProto) -> None:
    (message,) = (each for each in file.message_type if each.name == "RecommendRequest")
    (field,) = (field for field in message.field if field.name == "diversity")
    field.name = field.json_name = "variety"


def remove_method(file: FileDescriptorProto) -> None:
    del file.service[0].method[0]


def change_nothing(file: FileDescriptorProto) -> None:
    pass


def breaks(folder: Path, change: Change) -> str:
    """Change the released contract, and return what buf says of it."""
    contract = FileDescriptorSet.FromString(RELEASED.read_bytes())
    (file,) = (each for each in contract.file if each.name.endswith("/recommendation.proto"))
    change(file)
    changed = folder / "changed.binpb"
    changed.write_bytes(contract.SerializeToString())
    command: list[str | Path] = [
        BUF,
        "breaking",
        changed,
        "--against",
        RELEASED,
        "--config",
        ROOT / "buf.yaml",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (remove_field, "quotas"),
        (rename_field, "variety"),
        (remove_method, "Recommend"),
        (change_nothing, ""),
    ],
)
def test_what_breaks_clients_is_found_and_named(tmp_path: Path, change: Change, said: str) -> None:
    told = breaks(tmp_path, change)
    assert bool(told) == bool(said)
    assert said in told
