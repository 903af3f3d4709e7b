"""The encoder inside the process stands in for vLLM only because their vectors are the same."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from features.model_files import token_limit
from features.onnx_text import OnnxTextFeaturizer
from features.vllm import VllmFeaturizer, VllmSettings
from tests.support.texts import real_texts, works

COSINE = 0.999
TEXTS = 200


@pytest.fixture(scope="module")
def vllm(vllm_url: str) -> Iterator[VllmFeaturizer]:
    featurizer = VllmFeaturizer(VllmSettings(vllm_url, timeout_s=120))
    yield featurizer
    featurizer.close()


@pytest.fixture(scope="module")
def onnx_text(onnx_encoder: Path) -> Iterator[OnnxTextFeaturizer]:
    featurizer = OnnxTextFeaturizer(onnx_encoder)
    yield featurizer
    featurizer.close()


def test_the_texts_are_two_hundred_in_many_scripts_some_beyond_the_limit(
    packaged_encoder: Path,
) -> None:
    texts = real_texts()
    assert len(set(texts)) == len({work.title for work in works()}) == TEXTS
    assert sum(not text.isascii() for text in texts) > 50
    tokenizer = Tokenizer.from_file(str(packaged_encoder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lengths = [len(encoding) for encoding in tokenizer.encode_batch(texts)]
    assert sum(length > token_limit(packaged_encoder) for length in lengths) >= 15


def test_what_lies_beyond_the_limit_changes_nothing(
    vllm: VllmFeaturizer, onnx_text: OnnxTextFeaturizer
) -> None:
    longest = max(real_texts(), key=len)
    for featurizer in (vllm, onnx_text):
        cut, longer = featurizer.embed([longest, longest + " A whale."])
        np.testing.assert_allclose(longer, cut, atol=2e-3)


def test_vllm_and_onnx_text_agree_on_real_texts(
    vllm: VllmFeaturizer, onnx_text: OnnxTextFeaturizer
) -> None:
    texts = real_texts()
    cosine = (vllm.embed(texts) * onnx_text.embed(texts)).sum(axis=1)
    worst = int(cosine.argmin())
    assert cosine[worst] >= COSINE, texts[worst]


def test_vllm_and_onnx_text_agree_on_hard_texts(
    vllm: VllmFeaturizer, onnx_text: OnnxTextFeaturizer
) -> None:
    texts = [
        "a",
        "?",
        "👩‍👩‍👧",
        "\u0301",
        "x" * 9_000,
        "whale " * 5_000,
        "鯨" * 5_000,
        "\x00Emma\x07",
    ]
    cosine = (vllm.embed(texts) * onnx_text.embed(texts)).sum(axis=1)
    assert (cosine >= COSINE).all(), cosine


def test_the_vectors_tell_meanings_apart(
    vllm: VllmFeaturizer, onnx_text: OnnxTextFeaturizer
) -> None:
    texts = ["A captain hunts a whale.", "Sailors chase a sea beast.", "Two sisters marry well."]
    for featurizer in (vllm, onnx_text):
        captain, sailors, sisters = featurizer.embed(texts)
        assert captain @ sailors > captain @ sisters + 0.2


def test_both_name_the_same_space(vllm: VllmFeaturizer, onnx_text: OnnxTextFeaturizer) -> None:
    assert vllm.dimensions == onnx_text.dimensions == 384
    assert vllm.revision == onnx_text.revision
