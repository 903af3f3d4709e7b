"""A model on disk: weights as safetensors, configuration as JSON; nothing is ever unpickled.

Each kind of model has a module of its own that reads and writes it, so that work on one kind does
not run the code of the others (`graph.source`).
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from models.config import HGNNConfig, TowerConfig

FORMAT = 1
WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"

_Model = TypeVar("_Model", bound=nn.Module)


class CheckpointError(Exception):
    """A checkpoint is missing, damaged, or of another kind; the message names the file."""


def save(folder: Path, model: nn.Module, kind: str, config: HGNNConfig | TowerConfig) -> None:
    """Write a model's weights and configuration; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f".{WEIGHTS}.partial"
    save_file({name: t.contiguous() for name, t in model.state_dict().items()}, weights)
    weights.replace(folder / WEIGHTS)
    write_description(folder / DESCRIPTION, kind, {"config": dataclasses.asdict(config)})


def load(folder: Path, kind: str, build: Callable[[dict[str, Any]], _Model]) -> _Model:
    """Build a model from its configuration and fill it, ready for inference.

    Raises:
        CheckpointError: a file is missing, damaged, or holds another kind of model.
    """
    config = read_description(folder / DESCRIPTION, kind)["config"]
    model = build({k: tuple(v) if isinstance(v, list) else v for k, v in config.items()})
    path = folder / WEIGHTS
    try:
        model.load_state_dict(load_file(path))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except (SafetensorError, RuntimeError) as error:
        raise CheckpointError(f"{path}: damaged or of another shape: {error}") from error
    model.eval()
    return model


def write_description(path: Path, kind: str, content: dict[str, Any]) -> None:
    """Write what a kind of model says of itself."""
    partial = path.with_name(f".{path.name}.partial")
    described = {"format": FORMAT, "kind": kind, **content}
    partial.write_text(json.dumps(described, indent=2, allow_nan=False) + "\n")
    partial.replace(path)


def read_description(path: Path, kind: str) -> dict[str, Any]:
    """Read what a kind of model says of itself.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind.
    """
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
