"""From a new item's text to its vector: who embeds it, and how long that may take."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from opentelemetry.context import Context, get_current
from opentelemetry.trace import SpanKind

from features.errors import FeaturizerUnavailable
from server.batcher import MicroBatcher, Timed, Work
from server.settings import Settings
from server.stopwatch import Stopwatch, Times
from server.telemetry.metrics import Metrics
from server.telemetry.traces import asking
from server.texts import Texts, TextVector

MARGIN = 0.25
"""Part of a call's remaining time that the main featurizer does not get: in it the other one
answers, or the caller is told to come back."""
MOST_MARGIN_S = 1.0

Embed = Callable[[Sequence[str], Stopwatch], Sequence[TextVector | Exception]]


@dataclass(frozen=True, eq=False)
class _Text:
    """A text, and whose call it belongs to."""

    text: str
    context: Context


class TextQueue:
    """Puts texts into micro-batches for the main featurizer and, where it is away, for the other.

    Waiting for the main one, in the queue and out of it, ends a margin before the caller's
    deadline. Each has threads of its own, so that one that hangs holds up nothing but what was
    meant for it. Deadlines are in the event loop's time, and the queue belongs to that loop.
    """

    def __init__(self, texts: Texts, settings: Settings, metrics: Metrics | None = None) -> None:
        metrics = metrics or Metrics()
        self._texts = texts
        self._loop = asyncio.get_running_loop()
        self._pools: list[ThreadPoolExecutor] = []

        def batcher(name: str, work: Work[_Text, TextVector]) -> MicroBatcher[_Text, TextVector]:
            threads = settings.featurizer_workers
            pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
            self._pools.append(pool)
            return MicroBatcher(
                work,
                pool,
                most=settings.max_micro_batch,
                at_once=threads,
                taken=partial(metrics.batch, name),
            )

        self._main = batcher("featurizer", _traced(texts.embed, texts.serving, SpanKind.CLIENT))
        self._other = batcher("fallback", _traced(texts.step_in, texts.fallback, SpanKind.INTERNAL))

    async def embed(self, text: str, deadline: float) -> Timed[TextVector]:
        """Embed a text.

        Only where the main featurizer cannot be reached in time does the other one step in; a
        mismatch or a bad answer has to be seen, not covered up.

        Raises:
            FeaturizerUnavailable: it cannot be reached in time, and nothing steps in.
            FeaturizerMissingError: there is none.
            FeaturizerMismatchError: it is not the generation's.
            FeaturizerError: it failed, or what stepped in did.
        """
        started = perf_counter()
        job = _Text(text, get_current())
        try:
            return await self._in_time(job, deadline)
        except FeaturizerUnavailable:
            if not self._texts.fallback:
                raise
        waited = Times(featurizer=perf_counter() - started)
        found = await self._other.submit(job, deadline=deadline)
        return Timed(found.answer, waited + found.times)

    async def close(self) -> None:
        """Let what is being embedded finish, fail what is queued, and end the threads."""
        try:
            await asyncio.gather(self._main.close(), self._other.close())
        finally:
            for pool in self._pools:
                pool.shutdown(wait=False)

    async def _in_time(self, job: _Text, deadline: float) -> Timed[TextVector]:
        patience_s = patience(deadline - self._loop.time())
        try:
            async with asyncio.timeout(patience_s):
                return await self._main.submit(job, deadline=deadline)
        except TimeoutError:
            raise FeaturizerUnavailable(
                f"{self._texts.serving} did not answer within the {patience_s:.3g} s that the call "
                "could wait for it"
            ) from None


def patience(remaining_s: float) -> float:
    """Say how much of a call's remaining time the main featurizer may take, in seconds."""
    return remaining_s - min(remaining_s * MARGIN, MOST_MARGIN_S)


def _traced(embed: Embed, featurizer: str, kind: SpanKind) -> Work[_Text, TextVector]:
    """Embed within the trace of the calls that ask."""

    def work(jobs: Sequence[_Text], watch: Stopwatch) -> Sequence[TextVector | Exception]:
        with asking([job.context for job in jobs], featurizer, kind):
            return embed([job.text for job in jobs], watch)

    return work
