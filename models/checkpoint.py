"""A model on disk: weights as safetensors, configuration as JSON; nothing is ever unpickled."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from models.config import HGNNConfig, TowerConfig
from models.hgnn import HGNN
from models.towers import TwoTower

FORMAT = 1
WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"


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


def _read_config(folder: Path, kind: str) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: expected JSON, got {error}") from error
    for name, expected in (("format", FORMAT), ("kind", kind)):
        if content.get(name) != expected:
            raise CheckpointError(
                f"{path}: expected {name} {expected!r}, got {content.get(name)!r}"
            )
    return {k: tuple(v) if isinstance(v, list) else v for k, v in content["config"].items()}


def _fill(model: nn.Module, folder: Path) -> None:
    path = folder / WEIGHTS
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: damaged or of another shape: {error}") from error
    model.eval()
