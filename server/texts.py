"""Text vectors of new items: the generation's featurizer, checked, and what steps in for it."""

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import FeaturizerInfo
from features.errors import FeaturizerUnavailable
from features.text import TextFeaturizer
from server.errors import FeaturizerMismatchError, FeaturizerMissingError
from server.stopwatch import Stopwatch

log = logging.getLogger(__name__)

AWAY_S = 1.0
"""How long a featurizer that could not be reached is left alone."""

MakeFeaturizer = Callable[[], TextFeaturizer]


@dataclass(frozen=True, eq=False)
class TextVector:
    """A text's vector and who made it."""

    vector: NDArray[np.float32]
    """(D0,), of unit norm."""
    featurizer: str
    stepped_in: bool
    """Whether the main featurizer was away."""


class CheckedFeaturizer:
    """A featurizer that is asked who it is before its vectors are believed.

    It is asked again after every outage, by a fresh client: what comes back at the same
    address may be another model. For `AWAY_S` after it could not be reached, calls fail at
    once instead of waiting for it one behind the other.
    """

    def __init__(
        self,
        make: MakeFeaturizer,
        expected: FeaturizerInfo,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._expected = expected
        self._clock = clock
        self._lock = threading.Lock()
        self._featurizer = make()
        self._asked = False
        self._checked = False
        self._away_until = -math.inf
        self.name = self._featurizer.name

    def check(self) -> None:
        """Compare the featurizer with the generation's.

        Raises:
            FeaturizerMismatchError: another revision or another length of vectors.
            FeaturizerError: it cannot be asked.
        """
        with self._lock:
            if self._clock() < self._away_until:
                raise FeaturizerUnavailable(f"{self.name} was away a moment ago")
            if not self._checked:
                with self._awareness():
                    self._compare()
                self._checked = True

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Raises:
            FeaturizerMismatchError: see `check`.
            FeaturizerError: see `TextFeaturizer.embed`.
        """
        self.check()
        with self._awareness():
            return self._featurizer.embed(texts)

    def close(self) -> None:
        """Give back what the featurizer holds."""
        self._featurizer.close()

    def _compare(self) -> None:
        asked = self._make() if self._asked else self._featurizer
        try:
            revision, dimensions = asked.revision, asked.dimensions
        finally:
            if asked is not self._featurizer:
                asked.close()
        self._asked = True
        if revision != self._expected.revision:
            raise FeaturizerMismatchError("revision", self._expected.revision, revision)
        if dimensions != self._expected.dimensions:
            expected = str(self._expected.dimensions)
            raise FeaturizerMismatchError("dimensions", expected, str(dimensions))

    @contextmanager
    def _awareness(self) -> Iterator[None]:
        """Remember it when the featurizer could not be reached."""
        try:
            yield
        except FeaturizerUnavailable as error:
            log.warning("%s is away: %s", self.name, error)
            self._checked = False
            self._away_until = self._clock() + AWAY_S
            raise


class Texts:
    """Embeds the texts of new items; blocking, for a thread of its own."""

    def __init__(self, main: CheckedFeaturizer | None, fallback: CheckedFeaturizer | None) -> None:
        self._main = main
        self._fallback = fallback

    def check(self) -> None:
        """Compare both with the generation's; the main one may be away.

        Raises:
            FeaturizerMismatchError: one is not the generation's.
            FeaturizerError: the main one refuses or answers nonsense, or the other one fails.
        """
        if self._fallback is not None:
            self._fallback.check()
        if self._main is not None:
            try:
                self._main.check()
            except FeaturizerUnavailable:
                log.warning("new items cannot be embedded by %s yet", self.serving)

    @property
    def serving(self) -> str:
        """Name of what embeds; empty where nothing does."""
        return self._main.name if self._main else ""

    @property
    def fallback(self) -> str:
        """Name of what steps in; empty where nothing does."""
        return self._fallback.name if self._fallback else ""

    def embed(self, texts: Sequence[str], watch: Stopwatch) -> list[TextVector | Exception]:
        """Embed texts together by the main featurizer, in order.

        Raises:
            FeaturizerMissingError: there is none.
            FeaturizerMismatchError: it is not the generation's.
            FeaturizerError: it failed.
        """
        if self._main is None:
            raise FeaturizerMissingError
        with watch.stage("featurizer"):
            return _vectors(self._main, texts, stepped_in=False)

    def step_in(self, texts: Sequence[str], watch: Stopwatch) -> list[TextVector | Exception]:
        """Embed texts together by the other featurizer, in order, because the main one is away.

        Raises:
            FeaturizerMissingError: there is no other.
            FeaturizerMismatchError: it is not the generation's.
            FeaturizerError: it failed.
        """
        if self._fallback is None:
            raise FeaturizerMissingError
        log.warning("%s is away, %s steps in", self.serving, self.fallback)
        with watch.stage("featurizer"):
            return _vectors(self._fallback, texts, stepped_in=True)

    def close(self) -> None:
        """Give back what the featurizers hold."""
        for featurizer in (self._main, self._fallback):
            if featurizer is not None:
                featurizer.close()


def _vectors(
    featurizer: CheckedFeaturizer, texts: Sequence[str], *, stepped_in: bool
) -> list[TextVector | Exception]:
    vectors = featurizer.embed(texts)
    return [TextVector(vector, featurizer.name, stepped_in) for vector in vectors]
