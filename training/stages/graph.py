"""Join items that the same people chose, and items of one creator."""

from pathlib import Path
from typing import Any

from features.progress import Progress
from graph.build import build_graph
from graph.settings import GraphSettings
from training.material import COMPARISON_ONLY, Material


def write_graph(folder: Path, material: Material, settings: GraphSettings) -> dict[str, Any]:
    """Build the item-item graph of what is learned from."""
    with Progress("graph", unit="chunks") as progress:
        graph = build_graph(
            material.dataset.items,
            material.graph_train,
            settings,
            work_folder=folder,
            on_progress=progress.reach,
        )
    graph.save(folder)
    return {"neighbours": len(graph.neighbours), COMPARISON_ONLY: settings.comparison_only}
