"""Which featurizers a server runs with, by its settings."""

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

SERVING_BATCH_SIZE, SERVING_BATCH_BYTES = 32, 8192
"""Texts in one request and their bytes: many short texts or a few long ones, which are answered
soon, so that a vLLM with much to do is told from one that hangs."""
SERVING_RETRIES = 1
"""A caller is waiting: better to say soon that vLLM is away than to insist."""
SERVING_BACKOFF_S = 0.1


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
