"""Every model of a run, one after the other, as rankers to evaluate side by side."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from tqdm import tqdm

from models.scorer_checkpoint import load_scorer
from retrieval.pairwise import PairTable
from training.baselines import ItemCosine, Popularity, TwoTowerRanker, VectorKnn
from training.errors import TrainingError
from training.evaluate import Evaluation, Measurement
from training.fallback import or_popular
from training.fusion import FusedRanker
from training.hearing import Hearing
from training.library_peers import HOW_TO_ADD, peers_python
from training.peers import PEERS, candidates, touched
from training.pipeline import Run
from training.ranking import Ranker
from training.tuning_stage import load_peer, why_failed

SERVED = "nearfield"
"""Name of the model that a generation serves, in every measurement."""


def _popularity(run: Run) -> Ranker:
    return Popularity.fit(touched(run))


def _text_knn(run: Run) -> Ranker:
    return or_popular(VectorKnn("text-kNN", run.text), candidates(run))


def _item_cosine(run: Run) -> Ranker:
    return or_popular(ItemCosine.fit(touched(run)), candidates(run))


def _hgnn_knn(run: Run) -> Ranker:
    return or_popular(VectorKnn("HGNN-kNN", run.hgnn_vectors), candidates(run))


def _plain_two_tower(run: Run) -> Ranker:
    people, items = run.tower_vectors("two_tower", run.centred_content)
    return TwoTowerRanker("2T without graph", items, people)


def _two_tower_hgnn(run: Run) -> Ranker:
    people, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    return TwoTowerRanker("2T-HGNN", items, people)


def _fused(run: Run) -> Ranker:
    people, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    folder = run.folder / "fusion"
    catalogue = run.evidence(PairTable.load(folder), items)
    fused = FusedRanker(SERVED, catalogue, people, load_scorer(folder))
    return fused if run.settings.adaptation.weak_signals else Hearing(fused, run.hear)


MODELS: Mapping[str, Callable[[Run], Ranker]] = {
    "popularity": _popularity,
    "text-knn": _text_knn,
    "item-cosine": _item_cosine,
    **{key: partial(load_peer, key=key) for key in PEERS},
    "hgnn-knn": _hgnn_knn,
    "2t": _plain_two_tower,
    "2t-hgnn": _two_tower_hgnn,
    "nearfield": _fused,
}
"""Name on the command line -> what fits the model on a run's training part."""


def choose_models(asked: str | None) -> tuple[str, ...]:
    """Read the names on the command line; None is every model for which there is an interpreter.

    What that leaves out, and how to add it, is said on standard error.

    Raises:
        TrainingError: an unknown name, or one whose interpreter is missing.
    """
    python = peers_python()
    absent = () if python.exists() else tuple(key for key in PEERS if PEERS[key].in_library)
    missing = f"there is no Python with their libraries at {python}; {HOW_TO_ADD}"
    if asked is None:
        if absent:
            _say(f"evaluate: {', '.join(absent)} are left out: {missing}")
        return tuple(name for name in MODELS if name not in absent)
    names = tuple(name.strip() for name in asked.split(","))
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise TrainingError(f"--models: expected each name once, got {twice[0]!r} twice")
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        raise TrainingError(
            f"--models: unknown {unknown[0]!r}, expected some of {','.join(MODELS)}"
        )
    wanted = [name for name in names if name in absent]
    if wanted:
        raise TrainingError(f"--models: {', '.join(wanted)}: {missing}")
    return names


def fitted(run: Run, names: Iterable[str]) -> tuple[str, ...]:
    """Leave out tuned peers none of whose trials came to a model, and say why."""
    why = {name: why_failed(run, name) for name in names if name in PEERS}
    for name, reason in why.items():
        if reason is not None:
            _say(f"evaluate: without {name}, all of whose trials failed: {reason}")
    return tuple(name for name in names if why.get(name) is None)


def fit_models(run: Run, names: tuple[str, ...]) -> Iterator[Ranker]:
    """Fit each model when it is asked for, so that one at a time is held in memory."""
    for name in names:
        yield MODELS[name](run)


def compare_served(evaluation: Evaluation, slices: Iterable[str]) -> tuple[Measurement, ...]:
    """Compare the served model with every other one, user by user; without it there is nothing."""
    if SERVED not in evaluation.rankings:
        return ()
    return tuple(each for name in slices for each in evaluation.differences(SERVED, name))


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
