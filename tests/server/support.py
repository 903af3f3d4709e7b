"""A real server in the test's own process, on a free port, and featurizers that misbehave."""

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import grpc
import numpy as np
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from numpy.typing import NDArray

from features.errors import FeaturizerUnreachable
from features.text import HashFeaturizer
from nearfield.v1 import types_pb2
from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceStub
from nearfield.v1.info_pb2_grpc import InfoServiceStub
from nearfield.v1.recommendation_pb2_grpc import RecommendationServiceStub
from server.app import App
from server.engine import Engine
from server.settings import Settings
from server.texts import CheckedFeaturizer, Texts
from tests.support.generation import TEXT_DIMENSIONS

if TYPE_CHECKING:  # these three exist in the stubs alone
    from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceAsyncStub
    from nearfield.v1.info_pb2_grpc import InfoServiceAsyncStub
    from nearfield.v1.recommendation_pb2_grpc import RecommendationServiceAsyncStub

DetailT = TypeVar("DetailT", bound=Message)


class FlakyFeaturizer:
    """The hash featurizer behind a line that can be cut."""

    for_tests_only = True

    def __init__(self, *, revision: str | None = None, name: str = "flaky") -> None:
        self._inner = HashFeaturizer(TEXT_DIMENSIONS)
        self.name = name
        self.revision_now = revision or self._inner.revision
        self.away = False
        self.failure: BaseException | None = None
        self.calls: list[list[str]] = []
        self.asked = threading.Event()
        self.hold = threading.Event()
        self.hold.set()
        self.dimensions = self._inner.dimensions

    @property
    def revision(self) -> str:
        """Ask across the line."""
        self._reach()
        return self.revision_now

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed, unless the line is cut or held up."""
        self.calls.append(list(texts))
        self.asked.set()
        self.hold.wait(30)
        self._reach()
        return self._inner.embed(texts)

    def close(self) -> None:
        """Let go of whoever is held up."""
        self.hold.set()

    def _reach(self) -> None:
        if self.away:
            raise FeaturizerUnreachable("http://secret.example:8000 does not answer")
        if self.failure is not None:
            raise self.failure


@dataclass(frozen=True)
class Client:
    """Stubs on one channel to a running server."""

    channel: grpc.aio.Channel
    embedding: "EmbeddingServiceAsyncStub"
    recommendation: "RecommendationServiceAsyncStub"
    info: "InfoServiceAsyncStub"
    app: App


def make_settings(**changes: object) -> Settings:
    """Settings for a server in a test: a free port, no waiting at the end."""
    values: dict[str, object] = {
        "generation": "unused",
        "port": 0,
        "drain_wait_s": 0.0,
        "grace_s": 5.0,
        "security": {"authentication": "off"},
        **changes,
    }
    return Settings.model_validate(values)


def make_texts(
    engine: Engine, main: FlakyFeaturizer | None, fallback: FlakyFeaturizer | None = None
) -> Texts:
    """Texts over featurizers of a test."""
    expected = engine.generation.manifest.featurizer

    def checked(featurizer: FlakyFeaturizer | None) -> CheckedFeaturizer | None:
        return None if featurizer is None else CheckedFeaturizer(lambda: featurizer, expected)

    return Texts(checked(main), checked(fallback))


@asynccontextmanager
async def running(
    engine: Engine,
    featurizer: FlakyFeaturizer | None = None,
    *,
    fallback: FlakyFeaturizer | None = None,
    **changes: object,
) -> AsyncIterator[Client]:
    """Run a server for as long as the block lasts."""
    texts = make_texts(engine, featurizer or FlakyFeaturizer(), fallback)
    app = App(engine, texts, make_settings(**changes))
    await app.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{app.port}") as channel:
            yield Client(
                channel,
                EmbeddingServiceStub(channel),
                RecommendationServiceStub(channel),
                InfoServiceStub(channel),
                app,
            )
    finally:
        await app.stop()


def rich_status(error: grpc.aio.AioRpcError) -> Status:
    """Read the rich status that came with an error, and hold it to the plain one."""
    metadata = dict(error.trailing_metadata() or ())
    raw = metadata["grpc-status-details-bin"]
    assert isinstance(raw, bytes)
    status = Status.FromString(raw)
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return status


def detail(status: Status, kind: type[DetailT]) -> DetailT | None:
    """Find a detail of a status."""
    for packed in status.details:
        found = kind()
        if packed.Unpack(found):
            return found
    return None


def reason(status: Status) -> str:
    """Return the reason that every error carries."""
    info = detail(status, ErrorInfo)
    assert info is not None
    assert info.domain == "nearfield"
    return info.reason


def violated(status: Status) -> dict[str, str]:
    """Return the fields that a status complains about, and why."""
    request = detail(status, BadRequest)
    assert request is not None
    return {each.field: each.description for each in request.field_violations}


def retry_s(status: Status) -> float | None:
    """Return what a status tells the caller to wait."""
    info = detail(status, RetryInfo)
    return None if info is None else info.retry_delay.seconds + info.retry_delay.nanos / 1e9


def numbers(vector: types_pb2.Vector) -> NDArray[np.float32]:
    """Unpack a vector, written anew for the tests."""
    kind = "<f2" if vector.dtype == types_pb2.VECTOR_DTYPE_FLOAT16 else "<f4"
    unpacked = np.frombuffer(vector.data, dtype=kind).astype(np.float32)
    assert len(unpacked) == vector.dimensions
    return unpacked


def codes(warnings: Sequence[types_pb2.Warning]) -> set[str]:
    """Return the kinds of some warnings, without their prefix."""
    names = (types_pb2.WarningCode.Name(each.code) for each in warnings)
    return {name.removeprefix("WARNING_CODE_") for name in names}
