"""The same encoder inside this process, by onnxruntime, so that no second server is needed."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from features.errors import EncoderFilesError, FeaturizerBadAnswer, FeaturizerUnavailable
from features.model_files import encoder_revision
from features.onnx import onnxruntime
from features.providers import Choice, choose_providers
from features.text import Progress, prepare, unit_rows

MODEL_FILE = "encoder.onnx"
TOKENIZER_FILE = "tokenizer.json"
DESCRIPTION_FILE = "encoder.json"
FORMAT = 1


@dataclass(frozen=True)
class OnnxEncoder:
    """What `encoder.json` says about the two files beside it."""

    model: str
    """Name of the encoder, for people."""

    weights: str
    """Revision of the files it was exported from, as `folder_revision` gives it."""

    dimensions: int
    """Length of the vectors."""

    max_tokens: int
    """Where texts are cut, special tokens included."""

    pad_id: int
    """Token that fills up shorter texts of a batch; the mask hides it."""

    format: int = FORMAT
    """Version of the folder's layout."""

    def to_json(self) -> str:
        """Write the description as a JSON object."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def read(cls, folder: Path) -> "OnnxEncoder":
        """Read the description in a folder.

        Raises:
            EncoderFilesError: a file is missing, or the format is not ours.
        """
        missing = [
            name
            for name in (DESCRIPTION_FILE, MODEL_FILE, TOKENIZER_FILE)
            if not (folder / name).is_file()
        ]
        if missing:
            raise EncoderFilesError(f"{folder} is no exported encoder: {missing[0]} is missing")
        path = folder / DESCRIPTION_FILE
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise EncoderFilesError(f"{path} is not JSON: {error}") from error
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise EncoderFilesError(f"{path} must be of format {FORMAT}")
        if set(values) != {each.name for each in fields(cls)}:
            raise EncoderFilesError(f"{path} has other fields than format {FORMAT}")
        return cls(**values)


class OnnxTextFeaturizer:
    """A `TextFeaturizer` over a folder written by `export.text_encoder`.

    Mean pooling and normalisation are part of the ONNX graph. Texts of like length are run
    together, which saves padding and changes no vector. `threads` is for one batch, 0 meaning one
    per core; `choice` says where it runs.

    Raises:
        EncoderFilesError: the folder lacks a file, or a file cannot be loaded.
    """

    for_tests_only = False

    def __init__(
        self,
        folder: Path,
        *,
        batch_size: int = 32,
        threads: int = 0,
        choice: Choice = "auto",
        on_progress: Progress | None = None,
    ) -> None:
        self.encoder = OnnxEncoder.read(folder)
        self._batch_size = batch_size
        self._on_progress = on_progress
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
            self._session: onnxruntime.InferenceSession | None = _session(
                folder / MODEL_FILE, threads, choose_providers(choice)
            )
        except Exception as error:  # both libraries raise bare Exception for a damaged file
            raise EncoderFilesError(f"{folder} cannot be loaded: {error}") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(self.encoder.max_tokens)

    @property
    def name(self) -> str:
        """Return `onnx_text:` and the encoder's name."""
        return f"onnx_text:{self.encoder.model}"

    @property
    def revision(self) -> str:
        """Return the same revision that vLLM has for the same files and limit of tokens."""
        return encoder_revision(self.encoder.weights, self.encoder.max_tokens)

    @property
    def dimensions(self) -> int:
        """Return the length of each vector."""
        return self.encoder.dimensions

    @property
    def provider(self) -> str:
        """Return the onnxruntime execution provider that does the work."""
        return str(self._open_session().get_providers()[0])

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts; see `TextFeaturizer.embed`."""
        encodings = self._tokenizer.encode_batch(prepare(texts))
        vectors = np.zeros((len(encodings), self.dimensions), dtype=np.float32)
        done = 0
        for places in self._batches(encodings):
            vectors[places] = self._run([encodings[place] for place in places])
            done += len(places)
            if self._on_progress is not None:
                self._on_progress(done, len(encodings))
        return vectors

    def _batches(self, encodings: Sequence[Encoding]) -> Iterator[list[int]]:
        by_length = sorted(range(len(encodings)), key=lambda place: len(encodings[place]))
        for start in range(0, len(by_length), self._batch_size):
            yield by_length[start : start + self._batch_size]

    def _run(self, encodings: Sequence[Encoding]) -> NDArray[np.float32]:
        longest = max(len(encoding) for encoding in encodings)
        ids = np.full((len(encodings), longest), self.encoder.pad_id, dtype=np.int64)  # (B, L)
        mask = np.zeros_like(ids)
        for row, encoding in enumerate(encodings):
            ids[row, : len(encoding)] = encoding.ids
            mask[row, : len(encoding)] = 1
        feeds = {"input_ids": ids, "attention_mask": mask}
        outputs = self._open_session().run(["vector"], feeds)
        vectors = np.asarray(outputs[0], dtype=np.float32)  # (B, D)
        if vectors.shape[1] != self.dimensions or not np.isfinite(vectors).all():
            raise FeaturizerBadAnswer(
                f"{self.name}: expected {self.dimensions} finite numbers per text"
            )
        return unit_rows(vectors)

    def _open_session(self) -> onnxruntime.InferenceSession:
        if self._session is None:
            raise FeaturizerUnavailable(f"{self.name} is closed")
        return self._session

    def close(self) -> None:
        """Let go of the model; closing twice is harmless."""
        self._session = None


def _session(path: Path, threads: int, providers: Sequence[str]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin would take the cores from whatever else runs beside the encoder.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=list(providers))
