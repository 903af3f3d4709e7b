"""Where a run's models rank the held-out targets: a stage per model, so that nothing is redone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.progress import Progress
from graph.stage import StageResult
from training.baselines import VectorKnn
from training.centring import centred
from training.comparison import MODELS
from training.fallback import or_popular
from training.peers import candidates
from training.pipeline import Run
from training.ranking import Candidates, Ranker, Scope, rank
from training.tripartite import STAGE as TRIPARTITE
from training.tripartite import make_tripartite

SCOPES = (Scope.TYPE, Scope.UNSEEN)
ABSENT = 0
"""Rank of a case that a model was not asked; real ranks begin with 1."""


Ranks = Mapping[Scope, NDArray[np.int64]]
"""By scope the rank of every case's target (C,), `ABSENT` where it was not asked."""


def _with_people(run: Run) -> Ranker:
    vectors = np.load(run.folder / TRIPARTITE / "vectors.npy", allow_pickle=False)
    return or_popular(VectorKnn("HGNN-kNN, people in the graph", vectors), candidates(run))


def _centred_text_knn(run: Run) -> Ranker:
    return or_popular(VectorKnn("text-kNN, centred", centred(run.text)), candidates(run))


@dataclass(frozen=True)
class _Model:
    """How a model is made and fitted, and the stage that holds all it was made from."""

    stage: str
    make: tuple[Callable[[Run], StageResult], ...]
    fit: Callable[[Run], Ranker]


_GRAPH = (Run.make_graph,)
_FOUNDATION = (*_GRAPH, Run.make_foundation)
_ADAPTATION = (*_FOUNDATION, Run.make_adaptation)
RANKED: Mapping[str, _Model] = {
    "text-knn": _Model("text", (), MODELS["text-knn"]),
    "text-knn-centred": _Model("text", (), _centred_text_knn),
    "hgnn-knn": _Model("foundation", _FOUNDATION, MODELS["hgnn-knn"]),
    "people-knn": _Model(TRIPARTITE, (*_GRAPH, make_tripartite), _with_people),
    "2t": _Model("two_tower", (Run.make_plain_two_tower,), MODELS["2t"]),
    "2t-hgnn": _Model("adaptation", _ADAPTATION, MODELS["2t-hgnn"]),
    "nearfield": _Model("fusion", (*_ADAPTATION, Run.make_fusion), MODELS["nearfield"]),
}
"""Models by their names on the command line; data set and text are there already."""


def make_ranks(run: Run, model: str) -> Ranks:
    """Make whatever a model needs, rank the targets of the run's view, and keep the ranks."""
    entry = RANKED[model]
    for make in entry.make:
        make(run)

    def work(folder: Path) -> dict[str, Any]:
        ranks = _rank(run, entry.fit(run))
        np.save(folder / "ranks.npy", np.stack([ranks[scope] for scope in SCOPES]))
        return {"cases": len(ranks[Scope.TYPE])}

    made_from = {
        "model": model,
        "dataset": run.stage_hash("dataset"),
        "stage": run.stage_hash(entry.stage),
        "holding": run.inputs.part,
    }
    stage = f"ranks-{model}"
    run.make(stage, made_from, work, code=(__name__,))
    stored = np.load(run.folder / stage / "ranks.npy", allow_pickle=False)
    return dict(zip(SCOPES, stored, strict=True))


def _rank(run: Run, ranker: Ranker) -> Ranks:
    among = Candidates.of(run.dataset, run.held_out.train)
    with Progress(ranker.name, unit="cases") as progress:
        found = rank(ranker, run.split.test, among, SCOPES, on_progress=progress.reach)
    return {scope: ranking.rank for scope, ranking in found.items()}


def widen(ranks: Ranks, asked: NDArray[np.bool_]) -> Ranks:
    """Put the ranks of some cases, in their order, where all cases have them.

    Shapes:
        asked: (C,), which of all cases these are.
    """
    wide = {scope: np.full(len(asked), ABSENT, dtype=np.int64) for scope in ranks}
    for scope, values in ranks.items():
        wide[scope][asked] = values
    return wide
