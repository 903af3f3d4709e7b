"""Train the towers over what is known of the items, and embed the catalogue with them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tower_checkpoint import save_two_tower
from training.adaptation import train_adaptation
from training.histories import Sequences
from training.material import COMPARISON_ONLY, Material
from training.stages.towers import tower_inputs
from training.tower_settings import AdaptationSettings, tower_config


def adapt(
    folder: Path,
    material: Material,
    known: NDArray[np.float32],
    unchosen: NDArray[np.float32],
    settings: AdaptationSettings,
) -> dict[str, Any]:
    """Write the towers, the item vectors and the encoders.

    Shapes:
        known, unchosen: (N, G), what is known of items, and what would be had nobody chosen them.
    """
    catalogue, users, encoders = tower_inputs(material, known, unchosen)
    config = tower_config(material.dataset.item_types, catalogue, *encoders, settings)
    sequences = Sequences.from_interactions(material.heard, len(material.dataset.users))
    lent = material.hear(material.split.valid)
    towers, progress = train_adaptation(config, catalogue, users, sequences, lent, settings, folder)
    save_two_tower(folder, towers)
    np.save(folder / "item_vectors.npy", catalogue.embed_all(towers).numpy())
    (folder / "item_encoder.json").write_text(encoders[0].to_json() + "\n")
    (folder / "user_encoder.json").write_text(encoders[1].to_json() + "\n")
    return {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        COMPARISON_ONLY: settings.comparison_only,
    }
