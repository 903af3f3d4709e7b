"""Join items that the same people chose, and items of one creator."""

from pathlib import Path
from typing import Any

from tqdm import tqdm

from graph.build import build_graph
from graph.settings import GraphSettings
from training.material import COMPARISON_ONLY, Material


def write_graph(folder: Path, material: Material, settings: GraphSettings) -> dict[str, Any]:
    """Build the item-item graph of what is learned from."""
    with tqdm(desc="graph", unit="chunk", disable=None) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        graph = build_graph(
            material.dataset.items,
            material.graph_train,
            settings,
            work_folder=folder,
            on_progress=report,
        )
    graph.save(folder)
    return {"neighbours": len(graph.neighbours), COMPARISON_ONLY: settings.comparison_only}
