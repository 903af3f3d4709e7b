"""The HGNN over items and people as a stage of a run; made for evaluation, nothing is published."""

import dataclasses

from graph.stage import StageResult
from training.pipeline import Run
from training.stages.tripartite import embed_with_people

STAGE = "tripartite"


def make_tripartite(run: Run) -> StageResult:
    """Train the HGNN over items and people, and keep the vectors of the items."""
    edges, settings = run.settings.graph, run.settings.foundation
    made_from = {
        "text": run.stage_hash("text"),
        "graph": run.stage_hash("graph"),
        "graph_settings": dataclasses.asdict(edges),
        "settings": dataclasses.asdict(settings),
    }
    return run.make(
        STAGE,
        made_from,
        lambda folder: embed_with_people(folder, run, edges, settings),
        code=(embed_with_people.__module__,),
    )
