"""Text vectors from a vLLM server, through its OpenAI-compatible embeddings endpoint."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextvars import copy_context
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from threading import BoundedSemaphore

import numpy as np
from numpy.typing import NDArray

from features.errors import FeaturizerBadAnswer, FeaturizerUnavailable
from features.model_files import encoder_revision, folder_revision
from features.text import Progress, prepare
from features.vllm_answer import read_max_tokens, read_vectors
from features.vllm_http import READ_BYTES, Headers, VllmHttp, VllmSettings

__all__ = ["VllmFeaturizer", "VllmSettings"]


class VllmFeaturizer:
    """A `TextFeaturizer` over HTTP; nothing is sent before the first question.

    Texts beyond the model's limit are cut by the server, not refused.
    """

    for_tests_only = False

    def __init__(
        self,
        settings: VllmSettings,
        *,
        on_progress: Progress | None = None,
        rng: np.random.Generator | None = None,
        headers: Headers = lambda: {},
    ) -> None:
        self.settings = settings
        self._on_progress = on_progress
        self._dimensions = settings.dimensions
        rng = np.random.default_rng() if rng is None else rng
        self._http = VllmHttp(settings, rng, headers=headers)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="vllm")
        self._places = BoundedSemaphore(settings.concurrency)

    @property
    def name(self) -> str:
        """Return `vllm:` and the model's name."""
        return f"vllm:{self.settings.model}"

    @cached_property
    def revision(self) -> str:
        """Ask the server once which encoder it serves; see `encoder_revision`.

        Raises:
            FeaturizerError: the server cannot be asked, or serves another model.
        """
        answer = self._http.ask("GET", "/models")
        max_tokens, root = read_max_tokens(answer, self.settings.model)
        weights = self.settings.revision
        if not weights and self.settings.is_local and Path(root, "config.json").is_file():
            weights = folder_revision(Path(root))
        if not weights:
            weights = f"named-{sha256(self.settings.model.encode()).hexdigest()[:16]}"
        return encoder_revision(weights, max_tokens)

    @property
    def dimensions(self) -> int:
        """Return the length of each vector, asked from the server where it is not yet known."""
        if self._dimensions is None:
            return int(self.embed(["length"]).shape[1])
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts in batches, several at once; see `TextFeaturizer.embed`.

        The first batch that fails fails the call, and those that have not begun do not begin.
        """
        prepared = prepare(texts)
        if not prepared:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        if self._http.closed:
            raise FeaturizerUnavailable(f"{self.name} is closed")
        batches = _batches(prepared, self.settings.batch_size, self.settings.batch_bytes)
        if len(batches) == 1:  # without a second thread, which would only add its wake-ups
            vectors = self._batch(prepared)
            self._progressed(len(prepared), len(prepared))
            return vectors
        starts: dict[Future[NDArray[np.float32]], int] = {
            # In the caller's context, which is where its trace is.
            self._threads.submit(copy_context().run, self._batch, batch): start
            for start, batch in batches.items()
        }
        try:
            parts = self._gather(starts, len(prepared))
        finally:
            for future in starts:
                future.cancel()
        return np.concatenate([parts[start] for start in sorted(parts)])

    def _gather(
        self, starts: dict[Future[NDArray[np.float32]], int], total: int
    ) -> dict[int, NDArray[np.float32]]:
        parts: dict[int, NDArray[np.float32]] = {}
        done = 0
        for future in as_completed(starts):
            vectors = future.result()
            parts[starts[future]] = vectors
            done += len(vectors)
            self._progressed(done, total)
        return parts

    def _progressed(self, done: int, total: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, total)

    def _batch(self, texts: list[str]) -> NDArray[np.float32]:
        question = {
            "model": self.settings.model,
            "input": texts,
            "encoding_format": "base64",
            "truncate_prompt_tokens": -1,  # the model's own limit
        }
        with self._places:
            answer = self._http.ask("POST", "/embeddings", question)
        vectors = read_vectors(answer, len(texts))
        if self._dimensions is None:
            self._dimensions = vectors.shape[1]
        if vectors.shape[1] != self._dimensions:
            raise FeaturizerBadAnswer(
                f"expected vectors of {self._dimensions} dimensions, got {vectors.shape[1]}"
            )
        return vectors

    def close(self) -> None:
        """End questions, retries, threads and connections; closing twice is harmless."""
        self._http.close()
        self._threads.shutdown(cancel_futures=True)


def _batches(texts: list[str], most: int, most_bytes: int | None) -> dict[int, list[str]]:
    """Cut into requests of at most `most` texts and, unless one text alone has more, `most_bytes`.

    Returns:
        each request's texts, by the place of its first.
    """
    batches: dict[int, list[str]] = {}
    batch: list[str] = []
    size = 0
    for place, text in enumerate(texts):
        read = min(len(text.encode()), READ_BYTES)
        full = len(batch) == most or (most_bytes is not None and size + read > most_bytes)
        if not batch or full:
            batch = batches[place] = []
            size = 0
        batch.append(text)
        size += read
    return batches
