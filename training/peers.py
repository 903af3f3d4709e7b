"""The peers that are tuned: what each may be set to, and how it is fitted on a run.

Spaces are what is usually tuned, in steps of the usual size; the default is the library's or the
paper's own where there is one.
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import scipy.sparse as sp

from graph.cases import Cases
from training.baselines import ItemCosine, VectorKnn, interaction_matrix
from training.centring import centred
from training.ease import Ease
from training.fallback import or_popular
from training.library_peers import LibraryModel, Problem, peers_python
from training.lightgcn import LightGcnSettings, load_lightgcn, train_lightgcn
from training.material import Material
from training.ranking import Candidates, Ranker
from training.tuning import (
    Drawn,
    Fit,
    TuningSettings,
    draw,
    mean_reciprocal_rank,
    space,
    tune,
    validation_cases,
)

_Fitted = TypeVar("_Fitted")

_DECAYS = (1.0, 0.9, 0.8, 0.6)
_WINDOWS = (None, 10, 5, 3, 2, 1)


def _recent(options: tuple[Drawn, ...]) -> tuple[Drawn, ...]:
    """Leave out what differs in name alone: of one item nothing decays."""
    return tuple(one for one in options if one["last"] != 1 or one["decay"] == 1)


@dataclass(frozen=True)
class Peer:
    """A model whose settings are chosen on the validation part."""

    name: str
    """What the tables call it."""
    space: tuple[Drawn, ...]
    """What is drawn from, the default first."""
    prepare: Callable[[Material, TuningSettings], Fit]
    """What fits it on a run's material with settings that are drawn."""
    grouped_by: tuple[str, ...] = ()
    """Settings on which what is slow depends, if not on all of them."""
    in_library: bool = False
    """Fitted by the interpreter of `peers_python`."""
    reads_text: bool = False


def tune_peer(folder: Path, material: Material, key: str, tuning: TuningSettings) -> dict[str, int]:
    """Try drawn settings, and leave every trial and what the best one left in `folder`.

    Raises:
        TrainingError: a process of another interpreter fails.
    """
    peer = PEERS[key]
    cases = asked(material, tuning)
    # Without a case to tell settings apart there is only the default.
    drawn = draw(peer.space, tuning.trials if len(cases) else 1, tuning.seed, peer.grouped_by)
    fit, judge = peer.prepare(material, tuning), judge_by(material, cases)
    trials = tune(drawn, fit, judge, tuning.minutes, folder, title=peer.name)
    return {"drawn": len(drawn), "tried": len(trials)}


def touched(material: Material) -> sp.csr_array:
    """Build the user-item matrix of a run's training part."""
    dataset = material.dataset
    return interaction_matrix(material.split.train, len(dataset.users), len(dataset.items))


def asked(material: Material, tuning: TuningSettings) -> Cases:
    """Take the validation cases that peers are tuned on."""
    return validation_cases(material.split.valid, candidates(material), tuning)


def judge_by(material: Material, cases: Cases) -> Callable[[Ranker], float]:
    """Score rankers on some cases, with popularity to fall back on as in the evaluation."""
    among = candidates(material)
    return lambda ranker: mean_reciprocal_rank(or_popular(ranker, among), cases, among)


def candidates(material: Material) -> Candidates:
    """Take what competes in a run."""
    return Candidates.of(material.dataset, material.split.train)


def _once(fit: Callable[..., _Fitted]) -> Callable[..., _Fitted]:
    """Remember the latest result alone: it may be as large as memory allows."""
    kept: dict[str, _Fitted] = {}

    def fitted(**settings: object) -> _Fitted:
        name = json.dumps(settings, sort_keys=True)
        if name not in kept:
            kept.clear()
            kept[name] = fit(**settings)
        return kept[name]

    return fitted


def _text_knn(material: Material, _tuning: TuningSettings) -> Fit:
    shifted = centred(material.text)

    def fit(drawn: Drawn, _folder: Path) -> Ranker:
        rest = dict(drawn)
        vectors = shifted if rest.pop("centred") else material.text
        return VectorKnn("text-kNN, tuned", vectors, **rest)

    return fit


def _item_cosine(material: Material, _tuning: TuningSettings) -> Fit:
    similarities = _once(partial(ItemCosine.fit, touched(material), name="item-item cosine, tuned"))

    def fit(drawn: Drawn, _folder: Path) -> Ranker:
        rest = dict(drawn)
        plain = similarities(shrinkage=rest.pop("shrinkage"), exponent=rest.pop("exponent"))
        return dataclasses.replace(plain, **rest)

    return fit


def _ease(material: Material, _tuning: TuningSettings) -> Fit:
    weights = _once(partial(Ease.fit, touched(material)))

    def fit(drawn: Drawn, _folder: Path) -> Ranker:
        plain = weights(ridge=drawn["ridge"])
        return dataclasses.replace(plain, decay=drawn["decay"], name="EASE, tuned")

    return fit


def _lightgcn(material: Material, tuning: TuningSettings) -> Fit:
    matrix, seed = touched(material), tuning.seed
    cases = asked(material, tuning)
    judge = judge_by(material, cases) if len(cases) else None

    def fit(drawn: Drawn, folder: Path) -> Ranker:
        if not (folder / "items.npy").exists():
            settings = LightGcnSettings(**drawn, seed=seed)
            train_lightgcn(matrix, judge, settings, folder, tuning.fit_minutes)
        return load_lightgcn(folder, matrix)

    return fit


def _library(model: str, material: Material, tuning: TuningSettings) -> Fit:
    peer = PEERS[model]
    fitter = LibraryModel(model, peer.name, peers_python(), 60 * tuning.fit_minutes, tuning.seed)
    dataset, split = material.dataset, material.split
    problem = Problem(
        split.train,
        len(dataset.users),
        dataset.item_type,
        asked(material, tuning),
        split.test,
    )
    return partial(fitter.ranker, problem)


PEERS: dict[str, Peer] = {
    "text-knn-tuned": Peer(
        "text-kNN, tuned",
        _recent(
            space(
                {"centred": True, "last": 3, "decay": 1.0},
                centred=(True, False),
                last=_WINDOWS,
                decay=_DECAYS,
            )
        ),
        _text_knn,
        reads_text=True,
    ),
    "item-cosine-tuned": Peer(
        "item-item cosine, tuned",
        _recent(
            space(
                {"shrinkage": 10.0, "exponent": 0.5, "last": 3, "decay": 1.0},
                shrinkage=(0.0, 5.0, 10.0, 20.0, 50.0, 100.0),
                exponent=(0.3, 0.5, 0.7),
                last=_WINDOWS,
                decay=_DECAYS,
            )
        ),
        _item_cosine,
        grouped_by=("shrinkage", "exponent"),
    ),
    "ease-tuned": Peer(
        "EASE, tuned",
        space(
            {"ridge": 500.0, "decay": 1.0},
            ridge=(10.0, 30.0, 100.0, 300.0, 500.0, 1000.0, 3000.0),
            decay=_DECAYS,
        ),
        _ease,
        grouped_by=("ridge",),
    ),
    "als": Peer(
        "implicit ALS",
        space(
            {"factors": 100, "regularization": 0.01, "alpha": 1.0, "iterations": 15},
            factors=(32, 64, 128, 256),
            regularization=(0.01, 0.1, 1.0, 10.0),
            alpha=(1.0, 5.0, 20.0),
            iterations=(15, 30),
        ),
        partial(_library, "als"),
        in_library=True,
    ),
    "bpr": Peer(
        "implicit BPR",
        space(
            {"factors": 100, "learning_rate": 0.01, "regularization": 0.01, "iterations": 100},
            factors=(32, 64, 128),
            learning_rate=(0.003, 0.01, 0.03, 0.1),
            regularization=(0.003, 0.01, 0.03, 0.1),
            iterations=(50, 100, 200),
        ),
        partial(_library, "bpr"),
        in_library=True,
    ),
    "lightgcn": Peer(
        "LightGCN",
        space(
            {"layers": 3, "dimensions": 64, "learning_rate": 0.03, "regularization": 1e-4},
            layers=(1, 2, 3, 4),
            dimensions=(64, 128),
            learning_rate=(0.003, 0.01, 0.03),
            regularization=(1e-5, 1e-4, 1e-3),
        ),
        _lightgcn,
    ),
    "sasrec": Peer(
        "SASRec",
        space(
            {"n_factors": 128, "n_blocks": 2, "lr": 1e-3, "dropout_rate": 0.2},
            n_factors=(64, 128, 256),
            n_blocks=(1, 2, 3),
            lr=(3e-4, 1e-3, 3e-3),
            dropout_rate=(0.1, 0.2, 0.3, 0.5),
        ),
        partial(_library, "sasrec"),
        in_library=True,
    ),
}
"""Name on the command line -> the peer."""
