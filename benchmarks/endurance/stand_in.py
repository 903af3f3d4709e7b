"""An embeddings endpoint that stands in for vLLM, in a process of its own, and fails when told to.

python -m benchmarks.endurance.stand_in PORT MODEL DIMENSIONS MAX_TOKENS

It answers with the vectors of the hash featurizer. A line on its standard input, one of `Mood`,
says how it answers from then on; it ends when the input does.
"""

import base64
import json
import socket
import subprocess
import sys
import threading
import time
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from export.generation import FeaturizerInfo
from features.text import HashFeaturizer

SLOW_S = 8.0
"""Longer than the server waits for vLLM."""
PATIENCE_S = 30.0


class Mood(StrEnum):
    """How the stand-in answers."""

    HONEST = "honest"
    SLOW = "slow"
    """Honest after `SLOW_S`."""
    GARBAGE = "garbage"
    """With JSON that has no vectors."""


class Endpoint(ThreadingHTTPServer):
    """The endpoint."""

    daemon_threads = True
    mood = Mood.HONEST

    def __init__(self, port: int, model: str, dimensions: int, max_tokens: int) -> None:
        self.card = {"id": model, "max_model_len": max_tokens, "root": model}
        self.featurizer = HashFeaturizer(dimensions)
        super().__init__(("127.0.0.1", port), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep quiet about callers that give up waiting."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # as in vLLM's server; else each answer waits 40 ms for an ACK
    server: Endpoint

    def do_GET(self) -> None:
        self._send({"object": "list", "data": [self.server.card]})

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        mood = self.server.mood
        if mood is Mood.SLOW:
            time.sleep(SLOW_S)
        self._send({"data": "garbage"} if mood is Mood.GARBAGE else self._answer(question))

    def _answer(self, question: dict[str, Any]) -> dict[str, Any]:
        vectors = self.server.featurizer.embed(question["input"]).astype("<f4")
        return {
            "data": [
                {"index": row, "embedding": base64.b64encode(vector.tobytes()).decode()}
                for row, vector in enumerate(vectors)
            ]
        }

    def _send(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Keep quiet."""


class StandIn:
    """The endpoint's process, as those see it who let it fail."""

    def __init__(self, featurizer: FeaturizerInfo) -> None:
        self._model = featurizer.name.partition(":")[2]
        self._weights, _, self._max_tokens = featurizer.revision.rpartition("-")
        self._dimensions = featurizer.dimensions
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self._process: subprocess.Popen[str] | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """What a server has to be told to ask here."""
        url = f"http://127.0.0.1:{self._port}/v1"
        return ("--vllm-url", url, "--vllm-revision", self._weights)

    def come(self) -> None:
        """Start, and return when it listens."""
        words = [str(self._port), self._model, str(self._dimensions), self._max_tokens]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.endurance.stand_in", *words],
            stdin=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            with socket.socket() as caller:
                if caller.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("the stand-in for vLLM does not listen")

    def feel(self, mood: Mood) -> None:
        """Answer in another way."""
        assert self._process is not None, "it has to come before it feels"
        assert self._process.stdin is not None, "its input is a pipe"
        self._process.stdin.write(mood + "\n")
        self._process.stdin.flush()

    def go(self) -> None:
        """End at once, answers under way included."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.communicate()

    def __enter__(self) -> Self:
        self.come()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.go()


def main(port: str, model: str, dimensions: str, max_tokens: str) -> None:
    """Answer until the input ends."""
    endpoint = Endpoint(int(port), model, int(dimensions), int(max_tokens))
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    for line in sys.stdin:
        endpoint.mood = Mood(line.strip())


if __name__ == "__main__":
    main(*sys.argv[1:])
