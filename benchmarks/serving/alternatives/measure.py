"""Ways to serve that were chosen between, side by side."""

import argparse
import timeit
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.util import find_spec
from statistics import median
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from benchmarks.serving import figures
from benchmarks.serving.bare import INLINE
from benchmarks.serving.empty import KINDS
from benchmarks.serving.load import Load, Measured, measure
from benchmarks.serving.processes import Running, empty, in_one_process
from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1 import types_pb2
from server.wire import read_numbers, write_vector

ROUNDS = 3
WIDTH, MANY = 128, 256
Serve = Callable[[], AbstractContextManager[Running]]


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    generation = figures.open_generation(options.generation)
    by_id, person = figures.by_id(generation), figures.embed_user(generation)
    history = pb.RecommendRequest(user=person.user, k=10)

    _title("empty method, 360 bytes")
    kinds = [each for each in KINDS if each != "uvloop" or find_spec("uvloop")]
    servers: dict[str, Serve] = {
        f"{kind}, processes: {workers}": partial(empty, 360, workers=workers, kind=kind)
        for workers in (1, 2)
        for kind in kinds
    }
    _measure(servers, figures.RECOMMEND, by_id, options.calls)
    for name, method, request, calls in (
        ("EmbedUser, 50 events", figures.EMBED_USER, person, options.calls // 2),
        ("Recommend, 50 events", figures.RECOMMEND, history, options.calls // 4),
    ):
        _title(name)
        ways: dict[str, Serve] = {
            f"{_way(kind)}, batches wait {wait} \u00b5s": partial(
                in_one_process, generation.path, kind, wait
            )
            for kind in (INLINE, "1", "2")
            for wait in (0, 1_000)
        }
        _measure(ways, method, request, calls)
    _wire()
    return 0


def _load(calls: int) -> Load:
    return Load(calls, connections=16, streams=2)


def _way(kind: str) -> str:
    return "on the event loop" if kind == INLINE else f"threads: {kind}"


def _title(name: str) -> None:
    print(f"\n| {name} | calls per second | p50, ms | p99, ms |\n|---|---:|---:|---:|", flush=True)


def _measure(servers: dict[str, Serve], method: str, request: Message, calls: int) -> None:
    with ExitStack() as stack:
        running = {name: stack.enter_context(serve()) for name, serve in servers.items()}
        for each in running.values():
            measure(each.port, method, request, _load(500))
        taken: dict[str, list[Measured]] = {name: [] for name in running}
        for _ in range(ROUNDS):
            for name, each in running.items():
                taken[name].append(measure(each.port, method, request, _load(calls)))
    for name, got in taken.items():
        per_s, p50, p99 = (
            median(getattr(each, field) for each in got) for field in ("per_s", "p50_ms", "p99_ms")
        )
        print(f"| {name} | {per_s:,.0f} | {p50:.1f} | {p99:.1f} |", flush=True)


def _wire() -> None:
    """Compare a vector as bytes with one as repeated floats: 256 of them, written and read."""
    numbers = np.random.default_rng(0).random(WIDTH, dtype=np.float32)
    floats = _floats()

    def as_bytes() -> bytes:
        return write_vector(numbers, types_pb2.VECTOR_DTYPE_FLOAT32, "space").SerializeToString()

    def as_floats() -> bytes:
        data: bytes = floats(numbers=numbers).SerializeToString()
        return data

    written, repeated = as_bytes(), as_floats()
    steps: dict[str, Callable[[], object]] = {
        "bytes, written": as_bytes,
        "bytes, read as an array": lambda: read_numbers(types_pb2.Vector.FromString(written)),
        "repeated floats, written": as_floats,
        "repeated floats, read as an array": lambda: np.array(
            floats.FromString(repeated).numbers, dtype=np.float32
        ),
    }
    print(f"\n| {MANY} vectors of {WIDTH} numbers | \u00b5s |\n|---|---:|")
    for name, step in steps.items():
        took_s = min(timeit.repeat(step, number=MANY, repeat=20))
        print(f"| {name} | {took_s * 1e6:,.0f} |")


def _floats() -> Any:  # noqa: ANN401 - a class made here
    """Make a message of packed repeated floats."""
    file = descriptor_pb2.FileDescriptorProto(name="floats.proto", syntax="proto3")
    message = file.message_type.add(name="Floats")
    field = descriptor_pb2.FieldDescriptorProto
    message.field.add(name="numbers", number=1, label=field.LABEL_REPEATED, type=field.TYPE_FLOAT)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName("Floats"))
