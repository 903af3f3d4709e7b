import json
from pathlib import Path

import numpy as np
import pytest

from features.errors import EncoderFilesError, FeaturizerBadAnswer, FeaturizerUnavailable
from features.onnx_text import OnnxEncoder, OnnxTextFeaturizer
from tests.support.tiny_encoder import DIMENSIONS, MAX_TOKENS, write_tiny_encoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_tiny_encoder(tmp_path / "tiny")


def test_padding_and_the_size_of_a_batch_change_no_vector(folder: Path) -> None:
    texts = ["a", "a whale of a tale", "zz", "pages, pages", "b" * 200] * 5
    expected = OnnxTextFeaturizer(folder, batch_size=1).embed(texts)
    for size in (2, 7, 100):
        vectors = OnnxTextFeaturizer(folder, batch_size=size).embed(texts)
        np.testing.assert_allclose(vectors, expected, atol=1e-6)


def test_text_beyond_the_limit_is_cut(folder: Path) -> None:
    featurizer = OnnxTextFeaturizer(folder)
    room = MAX_TOKENS - 2  # two are special
    cut, longer, shorter = featurizer.embed(["a" * room, "a" * room + "b" * 50, "a" * 3 + "b"])
    np.testing.assert_allclose(cut, longer, atol=1e-6)
    assert cut @ shorter < 0.999


def test_padding_and_cutting_saved_in_the_tokenizers_file_do_not_count(folder: Path) -> None:
    expected = OnnxTextFeaturizer(folder).embed(["whale", "a" * 20])
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["truncation"] = {
        "direction": "Right",
        "max_length": 3,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    tokenizer["padding"] = {
        "strategy": {"Fixed": 128},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    path.write_text(json.dumps(tokenizer))
    np.testing.assert_allclose(
        OnnxTextFeaturizer(folder).embed(["whale", "a" * 20]), expected, atol=1e-6
    )


def test_it_says_what_it_is_and_what_runs_it(folder: Path) -> None:
    featurizer = OnnxTextFeaturizer(folder, choice="cpu")
    assert featurizer.name == "onnx_text:tiny"
    assert featurizer.revision == f"0123456789abcdef-{MAX_TOKENS}"
    assert featurizer.dimensions == DIMENSIONS
    assert featurizer.provider == "CPUExecutionProvider"
    assert not featurizer.for_tests_only


def test_progress_grows_to_the_number_of_texts(folder: Path) -> None:
    told: list[tuple[int, int]] = []
    featurizer = OnnxTextFeaturizer(
        folder, batch_size=4, on_progress=lambda *counts: told.append(counts)
    )
    featurizer.embed(["whale"] * 10)
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_a_closed_featurizer_says_so(folder: Path) -> None:
    featurizer = OnnxTextFeaturizer(folder)
    featurizer.close()
    with pytest.raises(FeaturizerUnavailable, match="closed"):
        featurizer.embed(["whale"])


def test_a_network_of_another_width_than_described_is_refused(tmp_path: Path) -> None:
    featurizer = OnnxTextFeaturizer(write_tiny_encoder(tmp_path, dimensions=DIMENSIONS + 1))
    with pytest.raises(FeaturizerBadAnswer, match=f"expected {DIMENSIONS + 1}"):
        featurizer.embed(["whale"])


@pytest.mark.parametrize("name", ["encoder.json", "encoder.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EncoderFilesError, match=f"{name} is missing"):
        OnnxTextFeaturizer(folder)


@pytest.mark.parametrize("name", ["encoder.json", "encoder.onnx", "tokenizer.json"])
def test_a_truncated_file_is_refused_with_its_folder(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(EncoderFilesError, match=str(folder)):
        OnnxTextFeaturizer(folder)


@pytest.mark.parametrize("change", [{"format": 2}, {"more": 1}, {"format": None}])
def test_another_format_is_refused(folder: Path, change: dict[str, int | None]) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(EncoderFilesError, match="format 1"):
        OnnxTextFeaturizer(folder)


def test_the_description_is_read_as_written(folder: Path) -> None:
    description = OnnxEncoder.read(folder)
    (folder / "encoder.json").write_text(description.to_json())
    assert OnnxEncoder.read(folder) == description
