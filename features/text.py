"""Texts to unit vectors: what every featurizer promises, and a stable fake for tests."""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.errors import FeatureError, TextError
from features.schema import clean_text

Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all), done growing to all."""


class TextFeaturizer(Protocol):
    """Anything that turns texts into vectors in one fixed space.

    Implementations may be called from several threads at once.
    """

    @property
    def name(self) -> str:
        """Which way and which model, for people to read, such as `vllm:all-MiniLM-L6-v2`."""

    @property
    def revision(self) -> str:
        """Identifies the space: equal revisions mean vectors that may be compared."""

    @property
    def dimensions(self) -> int:
        """Length of each vector."""

    @property
    def for_tests_only(self) -> bool:
        """True for fakes, whose vectors mean nothing and must never be served."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts, each by itself: the others in the call do not change its vector.

        Text beyond the encoder's limit is cut there. No texts give no rows.

        Shapes:
            returns: (B, D) float32, rows of unit L2 norm, in the order of `texts`.

        Raises:
            TextError: a text has nothing to read in it; the message says which.
            FeaturizerError: the encoder cannot be reached, refuses, or answers nonsense.
        """

    def close(self) -> None:
        """Give back connections, threads and files; closing twice is harmless."""


def prepare(texts: Sequence[str]) -> list[str]:
    """Clean texts before encoding, the same for every featurizer.

    Raises:
        TextError: nothing remains of a text; the message gives its place in `texts`.
        TypeError: `texts` is a single string.
    """
    if isinstance(texts, str):
        raise TypeError("texts must be a sequence of strings, got one string")
    cleaned = [clean_text(text) for text in texts]
    for place, text in enumerate(cleaned):
        if not text:
            raise TextError(f"texts[{place}] is empty after cleaning, was {texts[place][:40]!r}")
    return cleaned


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit L2 norm.

    Shapes:
        vectors: (B, D), no row all zero.
        returns: (B, D) float32.
    """
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / norms).astype(np.float32)
    return scaled


class HashFeaturizer:
    """A fake that needs no model: words and letter triples hashed to signed places.

    Texts that share words lie close, which is enough for worlds with known answers. It is stable
    over processes and machines, unlike Python's `hash`.
    """

    for_tests_only = True

    def __init__(self, dimensions: int = 384) -> None:
        if dimensions < 1:
            raise FeatureError(f"dimensions must be at least 1, got {dimensions}")
        self._dimensions = dimensions

    @property
    def name(self) -> str:
        """Return `hash`."""
        return "hash"

    @property
    def revision(self) -> str:
        """Return the version of the hashing and the number of dimensions."""
        return f"hash-1-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Return the length of each vector."""
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Hash the texts; see `TextFeaturizer.embed`."""
        vectors = np.zeros((len(texts), self._dimensions), dtype=np.float32)
        for row, text in enumerate(prepare(texts)):
            for part, weight in _parts(text):
                digest = int.from_bytes(blake2b(part.encode(), digest_size=8).digest())
                sign = 1 if digest & 1 else -1
                vectors[row, (digest >> 1) % self._dimensions] += sign * weight
        return unit_rows(vectors)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


def _parts(text: str) -> Iterator[tuple[str, float]]:
    # The whole text's odd weight keeps the row from cancelling to zero: the rest are halves.
    yield f"text {text}", 0.125
    for word in re.findall(r"\w+", text.casefold()):
        yield f"word {word}", 1.0
        padded = f"^{word}$"
        for start in range(len(padded) - 2):
            yield f"triple {padded[start : start + 3]}", 0.5
