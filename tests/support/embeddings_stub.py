"""An embeddings endpoint on this machine that answers honestly, or fails in the way it is told."""

import base64
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.text import HashFeaturizer

MODEL = "stub-encoder"
DIMENSIONS = 64
MAX_TOKENS = 256

Distort = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Fault:
    """How one answer goes wrong; what is not set stays honest."""

    status: int = 200
    """HTTP status; anything but 200 comes with an error message for a body, or with `body`."""

    drop: bool = False
    """Close the connection without an answer."""

    delay_s: float = 0.0
    """Wait before answering."""

    body: bytes | None = None
    """Send this instead of JSON."""

    distort: Distort | None = None
    """Change the honest answer."""


def encode(vector: NDArray[np.float32]) -> str:
    """Write a vector as the endpoint does."""
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()


def embedding(value: object) -> Distort:
    """Put `value` in the place of the last embedding."""

    def distort(answer: dict[str, Any]) -> dict[str, Any]:
        answer["data"][-1]["embedding"] = value
        return answer

    return distort


class EmbeddingsStub:
    """The server; `faults` are used up one per embeddings request, then it is honest.

    Vectors are those of `HashFeaturizer`.
    """

    def __init__(self, port: int = 0) -> None:
        self.faults: deque[Fault] = deque()
        self.pace_s = 0.0
        self.texts: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self.model_card: dict[str, Any] = {"id": MODEL, "max_model_len": MAX_TOKENS, "root": MODEL}
        self._at_once = 0
        self._lock = threading.Lock()
        self._featurizer = HashFeaturizer(DIMENSIONS)
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """Address of the API."""
        return f"http://127.0.0.1:{self.port}/v1"

    def fail(self, *faults: Fault) -> None:
        """Let the next requests go wrong, in this order."""
        self.faults.extend(faults)

    def fail_always(self, fault: Fault) -> None:
        """Let more requests go wrong than any test makes."""
        self.faults.extend([fault] * 1_000)

    @contextmanager
    def running(self) -> Iterator["EmbeddingsStub"]:
        """Serve while the block runs."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def begin(self, question: dict[str, Any], headers: Iterable[tuple[str, str]]) -> Fault:
        """Note a request and say how it goes wrong."""
        with self._lock:
            self.requests.append(question)
            self.headers.append({name.lower(): value for name, value in headers})
            self.texts.update(question["input"])
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self.faults.popleft() if self.faults else Fault()

    def end(self) -> None:
        """Note that a request is over."""
        with self._lock:
            self._at_once -= 1

    def honest(self, question: dict[str, Any]) -> dict[str, Any]:
        """Answer as the real endpoint does."""
        vectors = self._featurizer.embed(question["input"])
        data = [{"index": row, "embedding": encode(vector)} for row, vector in enumerate(vectors)]
        return {"object": "list", "model": question["model"], "data": data}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: EmbeddingsStub

    def do_GET(self) -> None:
        self._send(200, json.dumps({"object": "list", "data": [self.stub.model_card]}).encode())

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.stub.begin(question, self.headers.items())
        try:
            time.sleep(self.stub.pace_s + fault.delay_s)
            self._answer(question, fault)
        finally:
            self.stub.end()

    def _answer(self, question: dict[str, Any], fault: Fault) -> None:
        if fault.drop:
            self.close_connection = True
        elif fault.status != 200:
            self._send(fault.status, fault.body or b'{"error": {"message": "told to fail"}}')
        else:
            honest = self.stub.honest(question)
            answer = fault.distort(honest) if fault.distort else honest
            self._send(200, json.dumps(answer).encode() if fault.body is None else fault.body)

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting, as some tests want

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""
