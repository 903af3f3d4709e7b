"""Learn what items speak for, and weigh that against the towers."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from graph.build import popularity
from graph.settings import GraphSettings
from models.scorer_checkpoint import save_scorer
from retrieval.evidence import Catalogue
from retrieval.pairwise import PairTable
from training.fusion import FusionSettings, fit_scorer
from training.material import Material
from training.pairs import build_pairs
from training.stages.pretending import draw_items, pretend_new
from training.stages.towers import load_towers


def fuse(
    folder: Path,
    material: Material,
    towers: Path,
    edges: GraphSettings,
    settings: FusionSettings,
    lenders: int,
) -> dict[str, Any]:
    """Write the pair table and the scorer that weighs it against the `towers` of a stage.

    `lenders` is the foundation's.
    """
    with tqdm(desc="pairs", unit="item", disable=None) as bar:

        def report(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        pairs = build_pairs(material.graph, material.heard, edges, settings, on_progress=report)
    pairs.save(folder)
    people, items = load_towers(towers, material, material.hgnn_vectors)
    catalogue = evidence_of(material, pairs, items)
    as_new = draw_items(catalogue.people, settings.pretended, settings.seed)
    if as_new.any():
        catalogue = pretend_new(material, towers, catalogue, as_new, lenders)
    lent = material.hear(material.split.valid)
    save_scorer(folder, fit_scorer(catalogue, people, lent, settings))
    return {"pairs": len(pairs.targets), "pretended": int(as_new.sum())}


def evidence_of(material: Material, pairs: PairTable, items: NDArray[np.float32]) -> Catalogue:
    """Put together what the scorer weighs; `items` (N, V) are the item tower's vectors."""
    dataset = material.dataset
    people = popularity(material.split.train, len(dataset.items)).astype(np.float32)
    known, width = material.hgnn_vectors, material.text.shape[1]
    return Catalogue(pairs, items, known, width, people, dataset.item_type)
