import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.errors import FeatureError
from features.text import HashFeaturizer, TextFeaturizer, unit_rows

ROOT = Path(__file__).resolve().parents[2]


def test_texts_that_share_words_lie_closer() -> None:
    vectors = HashFeaturizer().embed(
        ["The Invisible Man", "The Island of Doctor Moreau", "the invisible man returns"]
    )
    assert vectors[0] @ vectors[2] > 0.7
    assert vectors[0] @ vectors[1] < 0.4


def test_words_in_another_order_are_almost_the_same() -> None:
    first, second = HashFeaturizer().embed(["whale and captain", "captain and whale"])
    assert 0.98 < first @ second < 1 - 1e-6


def test_the_hash_is_the_same_in_another_process() -> None:
    program = (
        "from features.text import HashFeaturizer;"
        "print(HashFeaturizer(32).embed(['Moby-Dick; 鯨']).tobytes().hex())"
    )
    command = [sys.executable, "-R", "-c", program]
    seen = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert seen.stdout.strip() == HashFeaturizer(32).embed(["Moby-Dick; 鯨"]).tobytes().hex()


@pytest.mark.parametrize("dimensions", [1, 2, 5, 384])
def test_no_text_cancels_to_zero(dimensions: int) -> None:
    texts = [f"{first} {second}" for first in "abcdefgh" for second in "abcdefgh"]
    norms = np.linalg.norm(HashFeaturizer(dimensions).embed(texts), axis=1)
    np.testing.assert_allclose(norms, 1, atol=1e-6)


def test_another_width_is_another_space() -> None:
    assert HashFeaturizer(8).revision != HashFeaturizer(16).revision


def test_a_vector_needs_a_dimension() -> None:
    with pytest.raises(FeatureError, match="at least 1, got 0"):
        HashFeaturizer(0)


def test_the_fake_declares_itself() -> None:
    fake: TextFeaturizer = HashFeaturizer()
    assert fake.for_tests_only


def test_unit_rows_keep_direction_even_of_tiny_and_huge_numbers() -> None:
    rows = np.array([[3, 4], [3e-30, 4e-30], [3e30, 4e30]], dtype=np.float32)
    np.testing.assert_allclose(unit_rows(rows), np.array([[0.6, 0.8]] * 3), rtol=1e-6)
