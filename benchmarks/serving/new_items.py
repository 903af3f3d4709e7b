"""New items through the server beside their texts through vLLM alone."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from statistics import median

import grpc
import httpx

from benchmarks.serving.figure import Figure
from benchmarks.serving.made_up import TYPES, Size, make_up
from benchmarks.serving.processes import serving
from export.generation import FeaturizerInfo
from features.schema import TEXT_RECIPE, ItemRecord, compose_text
from features.vllm import VllmFeaturizer, VllmSettings
from features.vllm_process import VllmProcess, VllmProcessSettings
from nearfield.v1 import embedding_pb2 as pb
from nearfield.v1 import types_pb2
from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceStub
from tests.support.texts import works

ITEMS = 10_000
SINGLE, BULK, ROUNDS = 200, 1024, 5
AT_ONCE = 4
"""Requests on their way in bulk, here and there."""
TEXTS, ELEMENTS = 32, 256
"""Texts in a request to vLLM, as the server sends them, and elements in one to the server."""
WARM_UP = 20
"""Calls, and then one round in bulk, that do not count."""


def new_items(out: Path, say: Callable[[str], None]) -> Iterator[Figure]:
    """Start vLLM and a server in front of it, and ask both for the same texts, turn by turn."""
    with ExitStack() as stack:
        say("vLLM starts")
        vllm = stack.enter_context(VllmProcess(VllmProcessSettings()))
        settings = VllmSettings(base_url=vllm.base_url)
        with closing(VllmFeaturizer(settings)) as featurizer:
            info = FeaturizerInfo(
                name=featurizer.name,
                revision=featurizer.revision,
                recipe=TEXT_RECIPE,
                dimensions=featurizer.dimensions,
                for_tests_only=False,
            )
        size = Size(items=ITEMS, text=info.dimensions)
        generation = make_up(
            out / f"items-{ITEMS}-{info.revision[:12]}", size, info, seed=0, say=say
        )
        flags = ("--vllm-url", vllm.base_url)
        ours = stack.enter_context(serving(generation, out / "server.log", *flags))
        channel = stack.enter_context(grpc.insecure_channel(f"127.0.0.1:{ours.port}"))
        client = stack.enter_context(httpx.Client(base_url=vllm.base_url, trust_env=False))
        pool = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        records = _records()
        both = _Both(EmbeddingServiceStub(channel), client, settings.model, pool)
        yield from _single(both, records)
        yield from _bulk(both, records)


class _Both:
    """Asks the server for items, and vLLM for their texts."""

    def __init__(
        self, stub: EmbeddingServiceStub, client: httpx.Client, model: str, pool: ThreadPoolExecutor
    ) -> None:
        self._stub = stub
        self._client = client
        self._model = model
        self._pool = pool

    def served(self, record: ItemRecord) -> None:
        self._stub.EmbedItem(_request(record))

    def raw(self, records: Sequence[ItemRecord]) -> None:
        question = {
            "model": self._model,
            "input": [compose_text(record) for record in records],
            "encoding_format": "base64",
            "truncate_prompt_tokens": -1,
        }
        self._client.post("embeddings", json=question, timeout=None).raise_for_status()

    def served_in_bulk(self, records: Sequence[ItemRecord]) -> None:
        def ask(part: Sequence[ItemRecord]) -> int:
            requests = pb.BatchEmbedItemsRequest(requests=map(_request, part))
            return sum(
                bool(each.status.code) for each in self._stub.BatchEmbedItems(requests).results
            )

        failed = sum(self._pool.map(ask, _parts(records, ELEMENTS)))
        assert not failed, f"{failed} elements failed"

    def raw_in_bulk(self, records: Sequence[ItemRecord]) -> None:
        list(self._pool.map(self.raw, _parts(records, TEXTS)))


def _single(both: _Both, records: Iterator[ItemRecord]) -> Iterator[Figure]:
    """Ask one at a time."""
    served, raw = [], []
    for number in range(WARM_UP + SINGLE):
        taken = _seconds(both.served, next(records)), _seconds(both.raw, [next(records)])
        if number >= WARM_UP:
            served.append(taken[0] * 1000)
            raw.append(taken[1] * 1000)
    yield Figure("EmbedItem of a new item, p50", median(served), "ms")
    yield Figure("vLLM alone, one text, p50", median(raw), "ms")
    ratio = median(served) / median(raw)
    yield Figure("EmbedItem of a new item beside vLLM", ratio, "x", 1.10, least=False)


def _bulk(both: _Both, records: Iterator[ItemRecord]) -> Iterator[Figure]:
    """Ask for many, in batches."""
    served, raw = [], []
    for number in range(1 + ROUNDS):
        part = [next(records) for _ in range(BULK)]
        taken = _seconds(both.served_in_bulk, part)
        part = [next(records) for _ in range(BULK)]
        alone = _seconds(both.raw_in_bulk, part)
        if number >= 1:  # the first of vLLM with this many texts takes a fifth longer
            served.append(BULK / taken)
            raw.append(BULK / alone)
    yield Figure("BatchEmbedItems, new items per second", median(served), "/s")
    yield Figure("vLLM alone in bulk, texts per second", median(raw), "/s")
    ratio = median(ours / alone for ours, alone in zip(served, raw, strict=True))
    yield Figure("BatchEmbedItems beside vLLM", ratio, "x", 0.95)


def _records() -> Iterator[ItemRecord]:
    """Give works that nobody has asked for yet, without end."""
    for number in count():
        for work in works():
            title = f"{work.title}, part {number}"
            yield ItemRecord(item_type=TYPES[0], title=title, description=work.description)


def _parts(records: Sequence[ItemRecord], size: int) -> list[Sequence[ItemRecord]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


def _request(record: ItemRecord) -> pb.EmbedItemRequest:
    item = types_pb2.NewItem(
        item_type=record.item_type, title=record.title, description=record.description
    )
    return pb.EmbedItemRequest(new_item=item)


def _seconds(call: Callable[..., None], argument: object) -> float:
    began = time.perf_counter()
    call(argument)
    return time.perf_counter() - began
