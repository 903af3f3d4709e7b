"""Which featurizers a server runs with, by its settings; and how it parts from them."""

import asyncio
import logging
import threading
from contextlib import suppress

from export.generation import FeaturizerInfo
from features.errors import FeatureError
from features.onnx_text import OnnxTextFeaturizer
from features.schema import TEXT_RECIPE
from features.vllm import VllmFeaturizer, VllmSettings
from features.vllm_http import Headers
from server.errors import FeaturizerMismatchError, WrongFeaturizerError
from server.settings import Settings
from server.telemetry.metrics import Metrics
from server.telemetry.traces import headers_to_send_on
from server.texts import CheckedFeaturizer, MakeFeaturizer, Texts

log = logging.getLogger(__name__)

SERVING_BATCH_SIZE, SERVING_BATCH_BYTES = 32, 8192
"""Texts in one request and their bytes: many short texts or a few long ones, which are answered
soon, so that a vLLM with much to do is told from one that hangs."""
SERVING_RETRIES = 1
"""A caller is waiting: better to say soon that vLLM is away than to insist."""
SERVING_BACKOFF_S = 0.1
CLOSING_S = 3.0
"""Seconds that closing is waited for. Well below what a supervisor waits for a worker's end."""


def open_texts(
    settings: Settings, expected: FeaturizerInfo, *, metrics: Metrics | None = None
) -> Texts:
    """Open the featurizers and compare them with the generation's.

    vLLM may be away for now; it is compared when it comes back.

    Raises:
        WrongFeaturizerError: one cannot be opened, or is not the generation's.
    """
    metrics = metrics or Metrics()
    if settings.featurizer == "none":
        return Texts(None, None, metrics=metrics)
    if expected.recipe != TEXT_RECIPE:
        raise WrongFeaturizerError(
            f"the generation's texts were composed as {expected.recipe!r}, this server composes "
            f"{TEXT_RECIPE!r}: use the version that built it, or --featurizer none"
        )
    try:
        main = _open(settings.featurizer, settings, expected, metrics)
        fallback = None
        if settings.fallback_featurizer != "none":
            fallback = _open(settings.fallback_featurizer, settings, expected, metrics)
        texts = Texts(main, fallback, metrics=metrics)
        texts.check()
    except (FeatureError, FeaturizerMismatchError) as error:
        raise WrongFeaturizerError(f"featurizer {settings.featurizer}: {error}") from error
    return texts


async def close_texts(texts: Texts, *, within_s: float = CLOSING_S) -> None:
    """Close featurizers, off the event loop; one that hangs is left behind after a while."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def close() -> None:
        try:
            texts.close()
        except Exception:
            log.exception("featurizer %s could not be closed", texts.serving)
        finally:
            with suppress(RuntimeError):  # nobody waits any more, the loop is closed
                loop.call_soon_threadsafe(ended.set)

    # A daemon: neither asyncio nor Python waits for it at the end.
    threading.Thread(target=close, name="closing", daemon=True).start()
    try:
        async with asyncio.timeout(within_s):
            await ended.wait()
    except TimeoutError:
        log.warning("featurizer %s: not closed after %.0f s, left behind", texts.serving, within_s)


def _open(
    kind: str, settings: Settings, expected: FeaturizerInfo, metrics: Metrics
) -> CheckedFeaturizer:
    def checked(make: MakeFeaturizer) -> CheckedFeaturizer:
        return CheckedFeaturizer(make, expected, breaker=settings.breaker, metrics=metrics)

    if kind == "onnx_text":
        folder = settings.onnx_text_folder
        if folder is None:
            raise WrongFeaturizerError(
                "featurizer onnx_text: --onnx-text-folder must say where the exported encoder is"
            )
        return checked(
            lambda: OnnxTextFeaturizer(
                folder, threads=settings.model_threads, choice=settings.execution_provider
            )
        )
    vllm = VllmSettings(
        base_url=settings.vllm_url,
        model=settings.vllm_model or expected.name.partition(":")[2],
        revision=settings.vllm_revision,
        dimensions=expected.dimensions,
        batch_size=SERVING_BATCH_SIZE,
        batch_bytes=SERVING_BATCH_BYTES,
        concurrency=settings.featurizer_workers,
        timeout_s=settings.vllm_timeout_s,
        retries=SERVING_RETRIES,
        backoff_s=SERVING_BACKOFF_S,
        api_key=settings.vllm_api_key.get_secret_value(),
    )
    headers: Headers = headers_to_send_on if settings.telemetry.otlp_endpoint else dict
    return checked(lambda: VllmFeaturizer(vllm, headers=headers))
