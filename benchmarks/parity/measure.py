"""How far two ways to one vector are apart: `python -m benchmarks.parity --generation FOLDER`.

torch and onnxruntime: the generation's networks, as `python -m export` compared them before it
published them, and the sentence encoder, which is exported here anew. vLLM and onnx_text: the
texts of two hundred works on which the tests compare them too.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.errors import ExportError
from export.generation import GenerationError, locate
from export.generation.manifest import read_manifest
from export.text_encoder import export_text_encoder
from features.errors import FeatureError
from features.model_files import find_packaged_encoder
from features.onnx_text import OnnxTextFeaturizer
from features.vllm import VllmFeaturizer, VllmSettings
from features.vllm_process import VllmProcess, VllmProcessSettings
from tests.support.texts import real_texts


def measure(options: argparse.Namespace) -> int:
    """Measure, and print both tables."""
    try:
        _measure(options.generation, options.vllm_url)
    except (ExportError, FeatureError, GenerationError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _measure(generation: Path, vllm_url: str | None) -> None:
    networks = read_manifest(locate(generation)).parity
    with tempfile.TemporaryDirectory() as beside:
        folder = Path(beside) / "encoder"
        encoder = export_text_encoder(find_packaged_encoder(), folder)
        print("| torch and onnxruntime | largest absolute difference |\n|---|---:|")
        for name, difference in {**networks, "sentence encoder": encoder}.items():
            print(f"| {name} | {difference:.1e} |")
        with _vllm(vllm_url) as base_url:
            one, other = _embed(real_texts(), base_url, folder)
    cosine = (one * other).sum(axis=1)
    print(f"\n| vLLM and onnx_text, {len(cosine)} texts | |\n|---|---:|")
    print(f"| smallest cosine | {cosine.min():.6f} |")
    print(f"| largest absolute difference of an entry | {np.abs(one - other).max():.1e} |")


def _embed(texts: Sequence[str], base_url: str, folder: Path) -> Iterator[NDArray[np.float64]]:
    """Yield the texts' vectors, of unit norm: first by vLLM, then by onnx_text."""
    with (
        closing(VllmFeaturizer(VllmSettings(base_url=base_url))) as vllm,
        closing(OnnxTextFeaturizer(folder)) as onnx_text,
    ):
        for featurizer in (vllm, onnx_text):
            vectors = featurizer.embed(texts).astype(np.float64)
            yield vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@contextmanager
def _vllm(url: str | None) -> Iterator[str]:
    """Yield the address of the vLLM that is named, or of one for this measurement."""
    if url is not None:
        yield url
        return
    with VllmProcess(VllmProcessSettings()) as server:
        yield server.base_url
