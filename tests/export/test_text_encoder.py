"""Export of sentence encoders, on a small one of random weights and on the real one."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertModel

from export.encoder import main
from export.errors import ParityError
from export.parity import check_parity
from export.text_encoder import export_text_encoder, load_encoder, parity_cases
from features.errors import EncoderFilesError
from features.model_files import folder_revision
from features.onnx_text import OnnxEncoder, OnnxTextFeaturizer
from tests.support.texts import real_texts
from tests.support.tiny_encoder import LETTERS, SPECIAL, letter_tokenizer

MAX_TOKENS = 40


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a BERT with two small layers and random weights."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(SPECIAL) + len(LETTERS),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=MAX_TOKENS,
        initializer_range=0.4,
    )
    save_random(config, folder)
    letter_tokenizer().save(str(folder / "tokenizer.json"))
    return folder


def save_random(config: BertConfig, folder: Path) -> None:
    """Write a transformer with fresh random weights."""
    make: Any = BertModel
    make(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def exported(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "tiny"
    assert export_text_encoder(source, folder, model="tiny") <= 1e-4
    return folder


def test_the_featurizer_gives_the_mean_over_real_tokens_of_the_transformer(
    source: Path, exported: Path
) -> None:
    texts = ["whale", "a", "the sea, the sea", "b" * 300]
    transformer = AutoModel.from_pretrained(source).eval()
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.enable_truncation(MAX_TOKENS)
    vectors = OnnxTextFeaturizer(exported).embed(texts)
    for text, vector in zip(texts, vectors, strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            mean = transformer(ids).last_hidden_state[0].numpy().mean(axis=0)
        np.testing.assert_allclose(vector, mean / np.linalg.norm(mean), atol=1e-5)


def test_the_folder_says_what_it_came_from(source: Path, exported: Path) -> None:
    assert OnnxEncoder.read(exported) == OnnxEncoder(
        model="tiny",
        weights=folder_revision(source),
        dimensions=24,
        max_tokens=MAX_TOKENS,
        pad_id=0,
    )


def test_nothing_is_left_beside_and_an_older_folder_is_replaced(
    source: Path, exported: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(exported, folder)
    (folder / "encoder.onnx").write_bytes(b"older")
    (folder / "stale.txt").write_text("stale")
    export_text_encoder(source, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["encoder.json", "encoder.onnx", "tokenizer.json"]
    assert OnnxTextFeaturizer(folder).embed(["whale"]).shape == (1, 24)


def test_without_a_file_nothing_is_written(source: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(source, tmp_path / "broken")
    (broken / "tokenizer.json").unlink()
    with pytest.raises(EncoderFilesError, match=r"tokenizer\.json missing"):
        export_text_encoder(broken, tmp_path / "out" / "encoder")
    assert not (tmp_path / "out").exists()


def test_other_weights_do_not_pass_for_parity(source: Path, exported: Path, tmp_path: Path) -> None:
    torch.manual_seed(4)
    other = shutil.copytree(source, tmp_path / "other")
    save_random(BertConfig.from_pretrained(source), other)
    encoder = load_encoder(other)
    cases = parity_cases(encoder.vocabulary, MAX_TOKENS)
    with pytest.raises(ParityError, match="1 texts of 3 tokens"):
        check_parity("other", encoder, (exported / "encoder.onnx").read_bytes(), cases)


def test_the_network_names_nothing_of_the_machine_that_made_it(exported: Path) -> None:
    content = (exported / "encoder.onnx").read_bytes()
    assert str(Path.cwd()).encode() not in content
    assert b"site-packages" not in content
    assert b"text_encoder.py" not in content


def test_the_real_encoder_keeps_its_vectors(packaged_encoder: Path, onnx_encoder: Path) -> None:
    description = json.loads((onnx_encoder / "encoder.json").read_text())
    assert (description["dimensions"], description["max_tokens"]) == (384, 256)
    encoder = load_encoder(packaged_encoder)
    cases = parity_cases(encoder.vocabulary, 256)
    network = (onnx_encoder / "encoder.onnx").read_bytes()
    assert check_parity("all-MiniLM-L6-v2", encoder, network, cases) <= 1e-4
    vectors = OnnxTextFeaturizer(onnx_encoder).embed(real_texts()[:5])
    tokenizer = Tokenizer.from_file(str(packaged_encoder / "tokenizer.json"))
    tokenizer.no_padding()
    for text, vector in zip(real_texts()[:5], vectors, strict=True):
        ids = torch.tensor([tokenizer.encode(text).ids])
        with torch.inference_mode():
            expected = encoder(ids, torch.ones_like(ids)).numpy()[0]
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_the_command_exports_and_names_what_is_missing(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "encoder"), "--encoder", str(source)]) == 0
    assert "differs from torch by" in capsys.readouterr().out
    assert (tmp_path / "encoder" / "encoder.onnx").is_file()
    assert main(["--out", str(tmp_path / "none"), "--encoder", str(tmp_path / "void")]) == 1
    assert "is no encoder's folder" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
