"""Learn what items speak for, and weigh that against the towers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress
from graph.build import popularity
from graph.cases import Cases
from graph.settings import GraphSettings
from graph.unchosen import draw_parts
from models.scorer import Scorer
from models.scorer_checkpoint import save_scorer
from retrieval.evidence import Catalogue
from retrieval.pairwise import PairTable
from training.calibration import measure_calibration
from training.fusion import FusionSettings, draw_cases, fit_scorer
from training.material import Material
from training.pairs import build_pairs
from training.stages.pretending import Pretence
from training.stages.towers import load_towers


def fuse(
    folder: Path,
    material: Material,
    towers: Path,
    edges: GraphSettings,
    settings: FusionSettings,
) -> dict[str, Any]:
    """Write the pair table and the scorer that weighs it against the `towers` of a stage.

    Beside them stands what the scorer's shares are worth, where enough cases are lent to tell.
    """
    with Progress("pairs", unit="items") as progress:
        pairs = build_pairs(
            material.graph, material.heard, edges, settings, on_progress=progress.reach
        )
    pairs.save(folder)
    people, items = load_towers(towers, material, material.hgnn_vectors)
    catalogue = evidence_of(material, pairs, items)
    cases, stands_for = draw_cases(
        material.hear(material.split.valid), catalogue.item_type, settings
    )
    parts = draw_parts(catalogue.people, settings.pretended_parts, settings.seed)

    def shown(some: Cases) -> Iterator[tuple[Catalogue, Cases]]:
        if not parts:
            yield catalogue, some
            return
        pretence = Pretence(material, towers, catalogue)
        for number, part in enumerate(parts):
            turn = some.take(np.arange(number, len(some), len(parts)))
            if len(turn):
                yield pretence.of(part), turn

    def fit(some: Cases) -> Scorer:
        return fit_scorer(catalogue, shown(some), people, settings, stands_for=stands_for)

    save_scorer(folder, fit(cases))
    calibration = measure_calibration(
        catalogue, cases, people, fit, stands_for=stands_for, seed=settings.seed
    )
    if calibration is not None:
        calibration.save(folder)
    return {
        "pairs": len(pairs.targets),
        "pretended_parts": len(parts),
        "calibration": None if calibration is None else calibration.to_json(),
    }


def evidence_of(material: Material, pairs: PairTable, items: NDArray[np.float32]) -> Catalogue:
    """Put together what the scorer weighs; `items` (N, V) are the item tower's vectors."""
    dataset = material.dataset
    people = popularity(material.split.train, len(dataset.items)).astype(np.float32)
    known, width = material.hgnn_vectors, material.content.shape[1]
    return Catalogue(pairs, items, known, width, people, dataset.item_type)
