"""Saved and loaded models are the same; anything else is refused by file name."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models import checkpoint
from models.checkpoint import CheckpointError
from models.config import HGNNConfig, TowerConfig
from models.hgnn import HGNN
from models.hgnn_checkpoint import load_hgnn, save_hgnn
from models.scorer import Scorer
from models.scorer_checkpoint import load_scorer, save_scorer
from models.tower_checkpoint import load_two_tower, save_two_tower
from models.towers import TwoTower
from retrieval.evidence import NAMES

HGNN_CONFIG = HGNNConfig(item_types=("book", "film"), text_dimensions=6, dimensions=4)
TOWER_CONFIG = TowerConfig(
    item_types=("book", "film"),
    countries=1,
    ages=1,
    genders=1,
    languages=1,
    genres=0,
    text_dimensions=6,
    known_dimensions=4,
)


def save(folder: Path, model: HGNN | TwoTower) -> None:
    if isinstance(model, HGNN):
        save_hgnn(folder, model)
    else:
        save_two_tower(folder, model)


@pytest.mark.parametrize("model", [HGNN(HGNN_CONFIG), TwoTower(TOWER_CONFIG)])
def test_model_comes_back_as_it_was(tmp_path: Path, model: HGNN | TwoTower) -> None:
    save(tmp_path / "one", model)
    load = load_hgnn if isinstance(model, HGNN) else load_two_tower
    loaded = load(tmp_path / "one")
    assert loaded.config == model.config
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    save(tmp_path / "two", loaded)
    for file in (checkpoint.WEIGHTS, checkpoint.DESCRIPTION):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    assert len(list((tmp_path / "one").iterdir())) == 2


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model\.json: no such file"):
        load_hgnn(tmp_path)
    save_hgnn(tmp_path, HGNN(HGNN_CONFIG))
    (tmp_path / checkpoint.WEIGHTS).unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors: no such file"):
        load_hgnn(tmp_path)


def test_truncated_weights_are_refused(tmp_path: Path) -> None:
    save_hgnn(tmp_path, HGNN(HGNN_CONFIG))
    weights = tmp_path / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: damaged"):
        load_hgnn(tmp_path)


def test_other_kind_and_newer_format_are_refused(tmp_path: Path) -> None:
    save_hgnn(tmp_path, HGNN(HGNN_CONFIG))
    with pytest.raises(CheckpointError, match="expected kind 'two_tower', got 'hgnn'"):
        load_two_tower(tmp_path)
    path = tmp_path / checkpoint.DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))
    with pytest.raises(CheckpointError, match="expected format 1, got 2"):
        load_hgnn(tmp_path)
    path.write_text("{")
    with pytest.raises(CheckpointError, match="expected JSON"):
        load_hgnn(tmp_path)


def test_scorer_comes_back_as_it_was(tmp_path: Path) -> None:
    scorer = Scorer()
    torch.nn.init.normal_(scorer.weight)
    scorer.scale.fill_(0.25)
    save_scorer(tmp_path, scorer)
    again = load_scorer(tmp_path)
    evidence = torch.randn(5, len(NAMES))
    torch.testing.assert_close(again(evidence), scorer(evidence))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"columns": {}}, "columns: expected"),
        ({"columns": {name: {"weight": "x", "scale": 1} for name in NAMES}}, "expected numbers"),
        ({"columns": {name: {"weight": 1.0} for name in NAMES}}, "expected numbers"),
        ({"kind": "hgnn"}, "expected kind 'scorer'"),
        ({"format": 9}, "expected format 1"),
    ],
)
def test_damaged_scorer_is_refused(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    save_scorer(tmp_path, Scorer())
    path = tmp_path / "scorer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=problem):
        load_scorer(tmp_path)
