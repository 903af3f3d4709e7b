"""What every TextFeaturizer promises, on every implementation, the real encoders included."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.errors import TextError
from features.onnx_text import OnnxTextFeaturizer
from features.text import HashFeaturizer, TextFeaturizer
from features.text_cache import CachedFeaturizer, TextCache
from features.vllm import VllmFeaturizer, VllmSettings
from tests.support.embeddings_stub import MODEL, EmbeddingsStub
from tests.support.texts import real_texts
from tests.support.tiny_encoder import write_tiny_encoder

FAST = ("hash", "cached", "vllm against a stub", "onnx_text, tiny")
REAL = ("vllm", "onnx_text")
TOLERANCE = 2e-3
"""Half precision, in which vLLM may run, rounds to about 1e-3."""

SCRIPTS = (
    "Война и мир",
    "吾輩は猫である",
    "ألف ليلة وليلة",
    "גולם",
    "திருக்குறள்",
    "พระอภัยมณี",
    "می‌خواهم",
    "👩‍👩‍👧 🏳️‍🌈",
    "ℵ₀ ≤ 2^ℵ₀",
    "e\u0301galite\u0301",
    "\U0001d509\U0001d52f 𓀀𓂀 𒀭",
    "\u202eright to left\u202c",
)


@pytest.fixture(scope="module", params=[*FAST, *REAL])
def featurizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TextFeaturizer]:
    with EmbeddingsStub().running() as stub:
        made = make(request.param, request, tmp_path_factory.mktemp("featurizer"), stub)
        yield made
        made.close()


def make(
    name: str, request: pytest.FixtureRequest, folder: Path, stub: EmbeddingsStub
) -> TextFeaturizer:
    if name == "hash":
        return HashFeaturizer()
    if name == "cached":
        return CachedFeaturizer(HashFeaturizer(), TextCache(folder / "cache.sqlite"), batch_size=7)
    if name == "vllm against a stub":
        return VllmFeaturizer(VllmSettings(stub.url, MODEL, batch_size=7))
    if name == "onnx_text, tiny":
        return OnnxTextFeaturizer(write_tiny_encoder(folder), batch_size=7)
    if name == "vllm":
        url = request.getfixturevalue("vllm_url")
        return VllmFeaturizer(VllmSettings(url, batch_size=7, timeout_s=120))
    return OnnxTextFeaturizer(request.getfixturevalue("onnx_encoder"), batch_size=7)


def assert_vectors(featurizer: TextFeaturizer, vectors: NDArray[np.float32], count: int) -> None:
    assert vectors.shape == (count, featurizer.dimensions)
    assert vectors.dtype == np.float32
    assert np.isfinite(vectors).all()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_each_text_gets_a_unit_vector_and_others_do_not_change_it(
    featurizer: TextFeaturizer,
) -> None:
    texts = real_texts()[:17]
    together = featurizer.embed(texts)
    assert_vectors(featurizer, together, 17)
    pairs = np.concatenate([featurizer.embed(texts[i : i + 2]) for i in range(0, 17, 2)])
    alone = np.concatenate([featurizer.embed([text]) for text in texts])
    np.testing.assert_allclose(pairs, together, atol=TOLERANCE)
    np.testing.assert_allclose(alone, together, atol=TOLERANCE)


def test_vectors_come_in_the_order_of_the_texts(featurizer: TextFeaturizer) -> None:
    texts = real_texts()[:20]
    order = np.random.default_rng(3).permutation(20)
    shuffled = featurizer.embed([texts[place] for place in order])
    np.testing.assert_allclose(shuffled, featurizer.embed(texts)[order], atol=TOLERANCE)


def test_different_texts_get_different_vectors_and_equal_texts_equal_ones(
    featurizer: TextFeaturizer,
) -> None:
    vectors = featurizer.embed(["a whale at sea", "tea with a hatter", "a whale at sea"])
    assert vectors[0] @ vectors[1] < 0.99
    np.testing.assert_allclose(vectors[0], vectors[2], atol=TOLERANCE)


def test_no_texts_give_no_rows_of_the_right_width(featurizer: TextFeaturizer) -> None:
    empty = featurizer.embed([])
    assert empty.shape == (0, featurizer.dimensions)
    assert empty.dtype == np.float32


@pytest.mark.parametrize("nothing", ["", "  \n\t ", "\x00\x1f", "\u200b\u200d", "\ud800"])
def test_a_text_with_nothing_to_read_is_refused_by_its_place(
    featurizer: TextFeaturizer, nothing: str
) -> None:
    with pytest.raises(TextError, match=r"texts\[1\]"):
        featurizer.embed(["Emma", nothing])


def test_a_lone_string_is_not_taken_for_a_list_of_letters(featurizer: TextFeaturizer) -> None:
    with pytest.raises(TypeError, match="one string"):
        featurizer.embed("Emma")


@pytest.mark.parametrize("length", [1 << 20, 8_192])
@pytest.mark.parametrize("unit", ["whale ", "x", "鯨", "e\u0315\u0300"])
def test_a_megabyte_of_text_is_cut_and_soon_embedded(
    featurizer: TextFeaturizer, unit: str, length: int
) -> None:
    text = unit * (length // len(unit))
    start = time.monotonic()
    assert_vectors(featurizer, featurizer.embed([text]), 1)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("text", SCRIPTS)
def test_every_script_is_embedded(featurizer: TextFeaturizer, text: str) -> None:
    assert_vectors(featurizer, featurizer.embed([text]), 1)


def test_control_characters_count_as_space(featurizer: TextFeaturizer) -> None:
    vectors = featurizer.embed(["\x00The\x07Time\x1b\u2028Machine\x7f", "The Time Machine"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=TOLERANCE)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(st.characters(max_codepoint=sys.maxunicode), min_size=1, max_size=60))
def test_any_unicode_is_embedded_or_refused_as_empty(featurizer: TextFeaturizer, text: str) -> None:
    try:
        vectors = featurizer.embed([text])
    except TextError:
        assert not any(character.isalnum() for character in text)
    else:
        assert_vectors(featurizer, vectors, 1)


def test_threads_may_share_a_featurizer(featurizer: TextFeaturizer) -> None:
    texts = real_texts()[40:60]
    expected = featurizer.embed(texts)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: featurizer.embed(texts), range(6)))
    for answer in answers:
        np.testing.assert_allclose(answer, expected, atol=TOLERANCE)


def test_name_and_revision_identify_and_do_not_change(featurizer: TextFeaturizer) -> None:
    assert featurizer.revision == featurizer.revision
    assert featurizer.revision.strip() == featurizer.revision != ""
    assert featurizer.name.split(":")[0] in {"hash", "vllm", "onnx_text"}
    assert featurizer.for_tests_only == featurizer.name.startswith("hash")


def test_closing_twice_is_harmless(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    with EmbeddingsStub().running() as stub:
        for name in FAST:
            made = make(name, request, tmp_path / name, stub)
            made.close()
            made.close()
