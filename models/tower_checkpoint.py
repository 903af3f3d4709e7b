"""The two towers on disk."""

from pathlib import Path

from models import checkpoint
from models.config import TowerConfig
from models.towers import TwoTower

_KIND = "two_tower"


def save_two_tower(folder: Path, model: TwoTower) -> None:
    """Write the towers' weights and configuration; each file appears whole or not at all."""
    checkpoint.save(folder, model, _KIND, model.config)


def load_two_tower(folder: Path) -> TwoTower:
    """Read an adaptation's towers, ready for inference.

    Raises:
        CheckpointError: a file is missing, damaged, or holds another kind of model.
    """
    return checkpoint.load(folder, _KIND, lambda config: TwoTower(TowerConfig(**config)))
