"""The foundation's network on disk."""

from pathlib import Path

from models import checkpoint
from models.config import HGNNConfig
from models.hgnn import HGNN

_KIND = "hgnn"


def save_hgnn(folder: Path, model: HGNN) -> None:
    """Write the network's weights and configuration; each file appears whole or not at all."""
    checkpoint.save(folder, model, _KIND, model.config)


def load_hgnn(folder: Path) -> HGNN:
    """Read a foundation's network, ready for inference.

    Raises:
        CheckpointError: a file is missing, damaged, or holds another kind of model.
    """
    return checkpoint.load(folder, _KIND, lambda config: HGNN(HGNNConfig(**config)))
