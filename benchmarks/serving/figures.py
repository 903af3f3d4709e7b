"""Each figure: what was measured, beside its limit."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import grpc
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from benchmarks.serving.figure import Figure
from benchmarks.serving.load import Load, Measured, measure
from benchmarks.serving.processes import Running, empty, memory, serving
from export.generation import Generation, read
from nearfield.v1 import embedding_pb2, types_pb2
from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1.recommendation_pb2_grpc import RecommendationServiceStub
from retrieval.approximate import ApproximateIndex
from retrieval.exact import ExactIndex
from retrieval.hnsw import faiss
from retrieval.store import load_index
from retrieval.tune import recall_of

RECOMMEND = "nearfield.v1.RecommendationService/Recommend"
EMBED_USER = "nearfield.v1.EmbeddingService/EmbedUser"
BATCH, BATCH_K = 256, 100
HISTORY = 50
SHARE = 0.5
"""Of our own throughput, at which both are asked alike for their late calls."""
ROUNDS = 3
QUIET = ("--featurizer", "none")


def by_id(generation: Generation, k: int = 10, user: int = 0) -> pb.RecommendRequest:
    """Ask for items for a known user."""
    person = types_pb2.UserInput(user_id=generation.user_ids.id(user))
    return pb.RecommendRequest(user=person, k=k)


def history(generation: Generation, seed: int) -> list[types_pb2.HistoryEvent]:
    """Make up a history of items that lie near each other: those of a known user."""
    rows = generation.history(seed % len(generation.user_ids)).rows[-HISTORY:]
    return [types_pb2.HistoryEvent(item_id=each) for each in generation.item_ids.ids(rows)]


def beside_empty(
    name: str, generation: Generation, out: Path, method: str, request: Message, calls: int
) -> Iterator[Figure]:
    """Measure a method and an empty one of the same reply size, turn by turn."""
    size = _reply_bytes(generation, out, method, request)
    with serving(generation.path, out / "server.log", *QUIET) as ours, empty(size) as limit:
        pairs = _turns(ours, limit, method, request, Load(calls))
        at = SHARE * median(own.per_s for own, _ in pairs)
        late = _turns(ours, limit, method, request, Load(calls // 2, per_s=at))
    yield from _compared(name, pairs, late, at)


def _turns(
    ours: Running, limit: Running, method: str, request: Message, load: Load
) -> list[tuple[Measured, Measured]]:
    warm = Load(min(load.calls, 500))
    for each in (ours, limit):
        measure(each.port, method, request, warm)
    return [
        (
            measure(ours.port, method, request, load),
            measure(limit.port, method, request, load),
        )
        for _ in range(ROUNDS)
    ]


def _compared(
    name: str,
    pairs: Sequence[tuple[Measured, Measured]],
    late: Sequence[tuple[Measured, Measured]],
    at: float,
) -> Iterator[Figure]:
    yield Figure(f"{name}, calls per second", median(own.per_s for own, _ in pairs), "/s")
    yield Figure(f"{name}, empty method", median(limit.per_s for _, limit in pairs), "/s")
    ratio = median(own.per_s / limit.per_s for own, limit in pairs)
    yield Figure(f"{name}, throughput beside empty", ratio, "x", 0.5)
    yield Figure(f"{name}, p50 at {at:,.0f}/s", median(own.p50_ms for own, _ in late), "ms")
    yield Figure(f"{name}, p99 at {at:,.0f}/s", median(own.p99_ms for own, _ in late), "ms")
    yield Figure(f"{name}, p99 of empty at that", median(limit.p99_ms for _, limit in late), "ms")
    ratio = median(own.p99_ms / limit.p99_ms for own, limit in late)
    yield Figure(f"{name}, p99 beside empty", ratio, "x", 2.0, least=False)


def batches(generation: Generation, out: Path, rounds: int = 20) -> Iterator[Figure]:
    """Measure BatchRecommend beside bare calls of the index library for the same people."""
    people = np.random.default_rng(0).integers(0, len(generation.user_ids), BATCH)
    request = pb.BatchRecommendRequest(
        requests=[by_id(generation, BATCH_K, int(person)) for person in people]
    )
    assert generation.ready is not None
    bare, recall = _bare(generation, generation.ready.vectors[people])
    inline = pb.BatchRecommendRequest(
        requests=[pb.RecommendRequest(user=_person(generation, int(p)), k=BATCH_K) for p in people]
    )
    with serving(generation.path, out / "server.log", *QUIET) as ours, _stub(ours) as stub:
        stub.BatchRecommend(request)
        stub.BatchRecommend(inline)
        served, computed, alone = [], [], []
        for _ in range(rounds):
            began = time.perf_counter()
            answer = stub.BatchRecommend(request)
            served.append(BATCH / (time.perf_counter() - began))
            alone.append(bare())
        for _ in range(max(1, rounds // 5)):
            began = time.perf_counter()
            stub.BatchRecommend(inline)
            computed.append(BATCH / (time.perf_counter() - began))
    assert all(len(each.recommendation.hits) == BATCH_K for each in answer.results)
    yield Figure("BatchRecommend by id, 256 x 100, people per second", median(served), "/s")
    yield Figure("BatchRecommend by history, people per second", median(computed), "/s")
    yield Figure("bare index, k = 100, people per second", median(alone), "/s")
    yield Figure("bare index, recall@10", recall, "share")
    ratio = median(ours / bare for ours, bare in zip(served, alone, strict=True))
    yield Figure("BatchRecommend beside the bare index", ratio, "x", 0.7)


def _bare(
    generation: Generation, vectors: NDArray[np.float32]
) -> tuple[Callable[[], float], float]:
    """Make calls of faiss itself on one thread, on the widest type's graph or all rows."""
    index = load_index(generation.index_folder, generation.item_vectors)
    wanted = ExactIndex(generation.item_vectors).search(vectors, 10).rows
    recall = recall_of(index.search(vectors, BATCH_K).rows[:, :10], wanted)
    flat = faiss.IndexFlatIP(generation.item_vectors.shape[1])
    graphs = index.graphs if isinstance(index, ApproximateIndex) else ()
    width = index.settings.search_width if isinstance(index, ApproximateIndex) else 0
    if not graphs:
        flat.add(generation.item_vectors)

    def call() -> float:
        faiss.omp_set_num_threads(1)
        began = time.perf_counter()
        for graph in graphs:
            graph.search(vectors, BATCH_K, width)
        if not graphs:
            flat.search(vectors, BATCH_K)
        return len(vectors) / (time.perf_counter() - began)

    return call, recall


def catalogue(generation: Generation, out: Path, calls: int) -> Iterator[Figure]:
    """Measure one size of catalogue: start, answers, and what a second worker adds."""
    name = f"{len(generation):,} items"
    arrays = sum(each.bytes for each in generation.manifest.files.values())
    yield Figure(f"{name}, files of the generation", arrays / 1e6, "MB")
    with serving(generation.path, out / "server.log", *QUIET, workers=2) as ours:
        yield Figure(f"{name}, start to SERVING, 2 workers", ours.start_s, "s", 5.0, least=False)
        for what, request in (
            ("by id", by_id(generation)),
            ("by history", pb.RecommendRequest(user=_person(generation, 1))),
        ):
            got = measure(ours.port, RECOMMEND, request, Load(calls, connections=2, streams=1))
            yield Figure(f"{name}, Recommend {what}, p50", got.p50_ms, "ms")
            yield Figure(f"{name}, Recommend {what}, p99", got.p99_ms, "ms")
        held = [memory(each) for each in ours.process.children()]
    yield Figure(f"{name}, shared memory of a worker", held[0].shared / 1e6, "MB")
    yield Figure(f"{name}, own memory of a worker", held[0].private / 1e6, "MB")
    share = held[1].private / arrays
    yield Figure(
        f"{name}, second worker's own memory beside the arrays", share, "x", 0.15, least=False
    )


def embed_user(generation: Generation) -> embedding_pb2.EmbedUserRequest:
    """Ask for the vector of somebody with an inline history."""
    return embedding_pb2.EmbedUserRequest(user=_person(generation, 0))


def _person(generation: Generation, seed: int) -> types_pb2.UserInput:
    return types_pb2.UserInput(history=history(generation, seed))


def _reply_bytes(generation: Generation, out: Path, method: str, request: Message) -> int:
    with (
        serving(generation.path, out / "server.log", *QUIET) as ours,
        grpc.insecure_channel(f"127.0.0.1:{ours.port}") as channel,
    ):
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{method}")
        return len(call(request.SerializeToString()))


@contextmanager
def _stub(running: Running) -> Iterator[RecommendationServiceStub]:
    options = [("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{running.port}", options=options) as channel:
        yield RecommendationServiceStub(channel)


def open_generation(path: Path) -> Generation:
    """Open what was just written."""
    return read(path, verify=False)
