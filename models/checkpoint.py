"""A model on disk: weights as safetensors, configuration as JSON; nothing is ever unpickled."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from models.config import HGNNConfig, TowerConfig
from models.hgnn import HGNN
from models.scorer import Scorer
from models.towers import TwoTower
from retrieval.evidence import NAMES

FORMAT = 1
WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
SCORER = "scorer.json"


class CheckpointError(Exception):
    """A checkpoint is missing, damaged, or of another kind; the message names the file."""


def save(folder: Path, model: HGNN | TwoTower) -> None:
    """Write a model's weights and configuration; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f".{WEIGHTS}.partial"
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, weights)
    weights.replace(folder / WEIGHTS)
    description = folder / f".{DESCRIPTION}.partial"
    kind = "hgnn" if isinstance(model, HGNN) else "two_tower"
    content = {"format": FORMAT, "kind": kind, "config": dataclasses.asdict(model.config)}
    description.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    description.replace(folder / DESCRIPTION)


def load_hgnn(folder: Path) -> HGNN:
    """Read a foundation's network, ready for inference.

    Raises:
        CheckpointError: a file is missing, damaged, or holds another kind of model.
    """
    model = HGNN(HGNNConfig(**_read_config(folder, "hgnn")))
    _fill(model, folder)
    return model


def load_two_tower(folder: Path) -> TwoTower:
    """Read an adaptation's towers, ready for inference.

    Raises:
        CheckpointError: a file is missing, damaged, or holds another kind of model.
    """
    model = TwoTower(TowerConfig(**_read_config(folder, "two_tower")))
    _fill(model, folder)
    return model


def save_scorer(folder: Path, scorer: Scorer) -> None:
    """Write a scorer's weights by the names of their columns."""
    columns = {
        name: {"weight": weight, "scale": scale}
        for name, weight, scale in zip(
            NAMES, scorer.weight.tolist(), scorer.scale.tolist(), strict=True
        )
    }
    partial = folder / f".{SCORER}.partial"
    content = {"format": FORMAT, "kind": "scorer", "columns": columns}
    partial.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n")
    partial.replace(folder / SCORER)


def load_scorer(folder: Path) -> Scorer:
    """Read a scorer.

    Raises:
        CheckpointError: the file is missing, damaged, or weighs other columns.
    """
    path = folder / SCORER
    columns = _read_json(path, "scorer").get("columns")
    if not isinstance(columns, dict) or tuple(columns) != NAMES:
        raise CheckpointError(f"{path}: columns: expected {NAMES}")
    scorer = Scorer()
    try:
        scorer.load_state_dict(
            {
                part: torch.tensor([float(columns[name][part]) for name in NAMES])
                for part in ("weight", "scale")
            }
        )
    except (TypeError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: columns: expected numbers, got {error}") from error
    return scorer.eval()


def _read_config(folder: Path, kind: str) -> dict[str, Any]:
    config = _read_json(folder / DESCRIPTION, kind)["config"]
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def _read_json(path: Path, kind: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: expected JSON, got {error}") from error
    for name, expected in (("format", FORMAT), ("kind", kind)):
        if content.get(name) != expected:
            raise CheckpointError(
                f"{path}: expected {name} {expected!r}, got {content.get(name)!r}"
            )
    return content


def _fill(model: nn.Module, folder: Path) -> None:
    path = folder / WEIGHTS
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: damaged or of another shape: {error}") from error
    model.eval()
