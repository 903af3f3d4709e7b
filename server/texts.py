"""Text vectors of new items: the generation's featurizer, checked, and what steps in for it."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import FeaturizerInfo
from features.errors import (
    FeaturizerBadAnswer,
    FeaturizerRefused,
    FeaturizerUnavailable,
    FeaturizerUnreachable,
)
from features.text import TextFeaturizer
from server.breaker import Breaker, BreakerSettings, Change, RestingError, Verdict
from server.errors import FeaturizerMismatchError, FeaturizerMissingError
from server.stopwatch import Stopwatch
from server.telemetry.metrics import FeaturizerOutcome, Metrics

log = logging.getLogger(__name__)

DEFAULTS = BreakerSettings()

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

    It is asked again after every failure, by a fresh client: what comes back at the same
    address may be another model. One that keeps failing is left alone for a while, by a circuit
    breaker; what is asked meanwhile fails as the last question did.
    """

    def __init__(
        self,
        make: MakeFeaturizer,
        expected: FeaturizerInfo,
        *,
        breaker: BreakerSettings = DEFAULTS,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make = make
        self._expected = expected
        self._featurizer = make()
        self._open = {self._featurizer}
        self._asked = False
        self._checked = False
        self.name = self._featurizer.name
        self._metrics = metrics or Metrics()
        self._metrics.breaker(self.name, "closed", changed=False)
        self._breaker = Breaker(breaker, verdict, told=self._tell, clock=clock)

    def check(self) -> None:
        """Compare the featurizer with the generation's.

        Raises:
            FeaturizerMismatchError: another revision or another length of vectors.
            FeaturizerError: it cannot be asked.
        """
        if not self._checked:
            with self._question():
                self._compare()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts.

        Raises:
            FeaturizerMismatchError: see `check`.
            FeaturizerError: see `TextFeaturizer.embed`.
        """
        with self._question():
            if not self._checked:
                self._compare()
            return self._featurizer.embed(texts)

    def close(self) -> None:
        """Give back what the featurizer holds, and end what it is asked."""
        for featurizer in tuple(self._open):
            featurizer.close()

    def _compare(self) -> None:
        asked = self._make() if self._asked else self._featurizer
        self._open.add(asked)
        try:
            revision, dimensions = asked.revision, asked.dimensions
        finally:
            if asked is not self._featurizer:
                asked.close()
                self._open.discard(asked)
        self._asked = True
        if revision != self._expected.revision:
            raise FeaturizerMismatchError("revision", self._expected.revision, revision)
        if dimensions != self._expected.dimensions:
            expected = str(self._expected.dimensions)
            raise FeaturizerMismatchError("dimensions", expected, str(dimensions))
        self._checked = True

    @contextmanager
    def _question(self) -> Iterator[None]:
        """Ask through the breaker, and take the time."""
        try:
            with self._breaker.question(), self._measured():
                yield
        except RestingError as resting:
            self._metrics.spared(self.name)
            # Nobody steps in for nonsense, while it comes or after: it has to be seen.
            nonsense = issubclass(resting.kind, FeaturizerBadAnswer)
            kind = FeaturizerBadAnswer if nonsense else FeaturizerUnavailable
            raise kind(f"{self.name} is {resting}") from None

    @contextmanager
    def _measured(self) -> Iterator[None]:
        started = time.perf_counter()
        outcome: FeaturizerOutcome = "other"
        try:
            yield
            outcome = "answered"
        except Exception as error:
            outcome = outcome_of(error)
            if outcome in {"unavailable", "bad_answer"}:
                self._checked = False
            raise
        finally:
            self._metrics.asked(self.name, outcome, time.perf_counter() - started)

    def _tell(self, change: Change) -> None:
        self._metrics.breaker(self.name, change.state)
        match change.state:
            case "open":
                what = "%s: circuit breaker open, left alone for %.1f s, after: %s"
                log.warning(what, self.name, change.rest_s, change.why)
            case "half_open":
                log.info("%s: circuit breaker half-open, one question is tried", self.name)
            case "closed":
                log.info("%s: circuit breaker closed, it answers again", self.name)


class Texts:
    """Embeds the texts of new items; blocking, for a thread of its own."""

    def __init__(
        self,
        main: CheckedFeaturizer | None,
        fallback: CheckedFeaturizer | None,
        *,
        metrics: Metrics | None = None,
    ) -> None:
        self._main = main
        self._fallback = fallback
        self._metrics = metrics or Metrics()

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
        self._metrics.stepped_in(len(texts))
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


def outcome_of(error: Exception) -> FeaturizerOutcome:
    """Say what an error means for the featurizer that was asked."""
    match error:
        case FeaturizerUnavailable():
            return "unavailable"
        case FeaturizerBadAnswer():
            return "bad_answer"
        case FeaturizerRefused() | FeaturizerMismatchError():
            return "refused"
    return "other"


_VERDICTS: Mapping[FeaturizerOutcome, Verdict] = {
    "unavailable": "failed",
    "bad_answer": "failed",
    # It answers, and will answer others: who is refused may be alone with it.
    "refused": "answered",
    "other": "unclear",
}


def verdict(error: Exception) -> Verdict:
    """Say what an error means for the circuit breaker."""
    if isinstance(error, FeaturizerUnreachable):
        return "hopeless"
    return _VERDICTS[outcome_of(error)]
