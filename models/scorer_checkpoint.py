"""The scorer on disk: a weight and a scale by the name of each column."""

from pathlib import Path

import torch

from models import checkpoint
from models.checkpoint import CheckpointError
from models.scorer import Scorer
from retrieval.evidence import NAMES

_FILE = "scorer.json"
_KIND = "scorer"


def save_scorer(folder: Path, scorer: Scorer) -> None:
    """Write a scorer's weights by the names of their columns."""
    columns = {
        name: {"weight": weight, "scale": scale}
        for name, weight, scale in zip(
            NAMES, scorer.weight.tolist(), scorer.scale.tolist(), strict=True
        )
    }
    checkpoint.write_description(folder / _FILE, _KIND, {"columns": columns})


def load_scorer(folder: Path) -> Scorer:
    """Read a scorer.

    Raises:
        CheckpointError: the file is missing, damaged, or weighs other columns.
    """
    path = folder / _FILE
    columns = checkpoint.read_description(path, _KIND).get("columns")
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
