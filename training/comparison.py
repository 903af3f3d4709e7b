"""Every model of a run, one after the other, as rankers to evaluate side by side."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import scipy.sparse as sp

from models import checkpoint
from retrieval.pairwise import PairTable
from training.baselines import (
    Ease,
    ItemCosine,
    Popularity,
    TwoTowerRanker,
    VectorKnn,
    centred,
    interaction_matrix,
)
from training.evaluate import Evaluation, Measurement
from training.fusion import FusedRanker
from training.hearing import Hearing
from training.pipeline import Run
from training.ranking import Ranker

SERVED = "nearfield"
"""Name of the model that a generation serves, in every measurement."""


def _popularity(run: Run) -> Ranker:
    return Popularity.fit(_matrix(run))


def _text_knn(run: Run) -> Ranker:
    return VectorKnn("text-kNN", run.text)


def _recent_text_knn(run: Run) -> Ranker:
    return VectorKnn("text-kNN, centred, last 3", centred(run.text), last=3)


def _recent_item_cosine(run: Run) -> Ranker:
    return ItemCosine.fit(_matrix(run), shrinkage=10, last=3, name="item-item cosine, last 3")


def _item_cosine(run: Run) -> Ranker:
    return ItemCosine.fit(_matrix(run))


def _ease(run: Run) -> Ranker:
    return Ease.fit(_matrix(run))


def _hgnn_knn(run: Run) -> Ranker:
    return VectorKnn("HGNN-kNN", run.hgnn_vectors)


def _plain_two_tower(run: Run) -> Ranker:
    people, items = run.tower_vectors("two_tower", None)
    return TwoTowerRanker("2T without graph", items, people)


def _two_tower_hgnn(run: Run) -> Ranker:
    people, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    return TwoTowerRanker("2T-HGNN", items, people)


def _fused(run: Run) -> Ranker:
    people, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    folder = run.folder / "fusion"
    catalogue = run.evidence(PairTable.load(folder), items)
    fused = FusedRanker(SERVED, catalogue, people, checkpoint.load_scorer(folder))
    return Hearing(fused, run.hear)


MODELS: Mapping[str, Callable[[Run], Ranker]] = {
    "popularity": _popularity,
    "text-knn": _text_knn,
    "item-cosine": _item_cosine,
    "text-knn-recent": _recent_text_knn,
    "item-cosine-recent": _recent_item_cosine,
    "ease": _ease,
    "hgnn-knn": _hgnn_knn,
    "2t": _plain_two_tower,
    "2t-hgnn": _two_tower_hgnn,
    "nearfield": _fused,
}
"""Name on the command line -> what fits the model on a run's training part."""


def fit_models(run: Run, names: tuple[str, ...]) -> Iterator[Ranker]:
    """Fit each model when it is asked for, so that one at a time is held in memory."""
    for name in names:
        yield MODELS[name](run)


def compare_served(evaluation: Evaluation, slices: Iterable[str]) -> tuple[Measurement, ...]:
    """Compare the served model with every other one, user by user; without it there is nothing."""
    if SERVED not in evaluation.rankings:
        return ()
    return tuple(each for name in slices for each in evaluation.differences(SERVED, name))


def _matrix(run: Run) -> sp.csr_array:
    return interaction_matrix(run.split.train, len(run.dataset.users), len(run.dataset.items))
