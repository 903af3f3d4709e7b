from typing import Any

import numpy as np
import pytest

from features.errors import FeaturizerBadAnswer
from features.vllm_answer import read_max_tokens, read_vectors
from tests.support.embeddings_stub import encode


def entry(index: object, *numbers: float) -> dict[str, Any]:
    return {"index": index, "embedding": encode(np.array(numbers, dtype=np.float32))}


def test_vectors_are_put_in_order_and_scaled() -> None:
    answer = {"data": [entry(1, 0, 5), entry(0, 3, 4)]}
    vectors = read_vectors(answer, 2)
    np.testing.assert_allclose(vectors, np.array([[0.6, 0.8], [0, 1]]), rtol=1e-6)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "list `data`"),
        ([], "list `data`"),
        ({"data": {}}, "list `data`"),
        ({"error": {"message": "busy"}}, "list `data`"),
        ({"data": []}, "expected 1 vectors, got 0"),
        ({"data": [entry(0, 1), entry(1, 1)]}, "expected 1 vectors, got 2"),
        ({"data": ["x"]}, r"data\[0\]\.index"),
        ({"data": [entry(1, 1)]}, r"data\[0\]\.index .* got 1"),
        ({"data": [entry(-1, 1)]}, r"data\[0\]\.index .* got -1"),
        ({"data": [entry("0", 1)]}, r"data\[0\]\.index .* got '0'"),
        ({"data": [{"index": 0}]}, r"data\[0\]\.embedding must be base64, got NoneType"),
        ({"data": [{"index": 0, "embedding": [1.0]}]}, "must be base64, got list"),
        ({"data": [{"index": 0, "embedding": "not base64!"}]}, "is not base64"),
        ({"data": [{"index": 0, "embedding": "鯨"}]}, "is not base64"),
        ({"data": [{"index": 0, "embedding": "AAAA"}]}, "is not base64 of float32"),
        ({"data": [{"index": 0, "embedding": ""}]}, "no direction"),
        ({"data": [entry(0, 0, 0)]}, "no direction"),
        ({"data": [entry(0, 1, float("nan"))]}, "not finite"),
        ({"data": [entry(0, 1, float("-inf"))]}, "not finite"),
    ],
)
def test_anything_but_one_finite_vector_per_text_is_named(answer: object, said: str) -> None:
    with pytest.raises(FeaturizerBadAnswer, match=said):
        read_vectors(answer, 1)


def test_an_index_twice_is_refused() -> None:
    with pytest.raises(FeaturizerBadAnswer, match=r"data\[1\]\.index"):
        read_vectors({"data": [entry(0, 1), entry(0, 1)]}, 2)


def test_vectors_of_two_lengths_are_refused() -> None:
    with pytest.raises(FeaturizerBadAnswer, match=r"one length, got \[1, 2\]"):
        read_vectors({"data": [entry(0, 1), entry(1, 1, 0)]}, 2)


def test_the_limit_of_the_model_that_was_asked_for_is_read() -> None:
    cards = [{"id": "other", "max_model_len": 8}, {"id": "mine", "max_model_len": 256, "root": "x"}]
    assert read_max_tokens({"data": cards}, "mine") == (256, "x")


@pytest.mark.parametrize(
    "answer", [None, {"data": 3}, {"data": [3]}, {"data": [{"id": "mine"}]}, {"data": []}]
)
def test_a_model_that_is_not_served_is_refused(answer: object) -> None:
    with pytest.raises(FeaturizerBadAnswer, match="expected model 'mine'"):
        read_max_tokens(answer, "mine")


def test_the_models_that_are_served_are_named() -> None:
    cards = [{"id": "big", "max_model_len": 8}, {"id": "small", "max_model_len": 8}]
    with pytest.raises(FeaturizerBadAnswer, match="served: big, small"):
        read_max_tokens({"data": cards}, "mine")
