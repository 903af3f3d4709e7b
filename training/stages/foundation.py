"""Train the HGNN and embed the whole catalogue with it."""

from pathlib import Path
from typing import Any

import numpy as np

from models.hgnn_checkpoint import save_hgnn
from training.foundation import FoundationSettings
from training.founding import found
from training.material import COMPARISON_ONLY, Material
from training.stages.unchosen import all_unchosen


def lay_foundation(
    folder: Path, material: Material, settings: FoundationSettings
) -> dict[str, Any]:
    """Write the network, every layer's vectors, z had nobody chosen the items, and of what."""
    hgnn, progress, layers = found(material.graph, material.content, settings, folder)
    save_hgnn(folder, hgnn)
    *hidden, z = layers
    for number, layer in enumerate(hidden, start=1):
        np.save(folder / f"layer_{number}.npy", layer)
    np.save(folder / "vectors.npy", z)
    np.save(folder / "unchosen.npy", all_unchosen(hgnn, material, z, settings))
    return {
        "epochs": progress.epoch,
        "best_epoch": progress.best_epoch,
        "catalogue": material.dataset.catalogue,
        COMPARISON_ONLY: settings.comparison_only,
    }
