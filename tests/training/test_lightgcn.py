"""LightGCN: a gradient that is right, and communities that popularity does not see."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.nn.models.lightgcn import LightGCN

from graph.cases import Cases
from tests.support.cases import cases_of
from training.baselines import Popularity
from training.lightgcn import (
    LightGcnSettings,
    load_lightgcn,
    normalised_adjacency,
    propagate,
    train_lightgcn,
)
from training.ranking import Candidates
from training.tuning import mean_reciprocal_rank

PEOPLE, ITEMS = 40, 20


def two_halves() -> tuple[sp.csr_array, Cases, Candidates]:
    """A person touched all items of their half but one, which is the target."""
    touched = np.add.outer(np.arange(PEOPLE), np.arange(ITEMS)) % 2 == 0
    target = (np.arange(PEOPLE) * 6 + np.arange(PEOPLE) % 2) % ITEMS
    assert touched[np.arange(PEOPLE), target].all()
    touched[np.arange(PEOPLE), target] = False
    histories = [np.flatnonzero(row).tolist() for row in touched]
    candidates = Candidates(
        ("item",), np.zeros(ITEMS, np.int64), np.ones(ITEMS, np.int64), np.ones(ITEMS, np.bool_)
    )
    matrix: sp.csr_array = sp.csr_array(touched.astype(np.float32))
    return matrix, cases_of(histories, target.tolist()), candidates


def learned(folder: Path, *, learning_rate: float, seed: int = 0) -> float:
    matrix, cases, candidates = two_halves()
    settings = LightGcnSettings(
        layers=2, dimensions=8, learning_rate=learning_rate, epochs=40, patience=40, seed=seed
    )
    train_lightgcn(matrix, None, settings, folder)
    return mean_reciprocal_rank(load_lightgcn(folder, matrix), cases, candidates)


def test_the_fast_gradient_is_the_one_of_the_library() -> None:
    matrix, _, _ = two_halves()
    torch.manual_seed(0)
    model = LightGCN(PEOPLE + ITEMS, 4, 3, normalize=False)
    adjacency = normalised_adjacency(matrix)
    weight = torch.randn(PEOPLE + ITEMS, 4)
    expected = model.get_embedding(adjacency)
    torch.autograd.backward((expected * weight).sum())
    gradient = model.embedding.weight.grad
    assert gradient is not None
    model.embedding.weight.grad = None

    vectors = propagate(model, adjacency)
    torch.testing.assert_close(vectors, expected)
    torch.autograd.backward((vectors * weight).sum())
    torch.testing.assert_close(model.embedding.weight.grad, gradient)


def test_an_edge_is_divided_by_the_roots_of_both_ends_degrees() -> None:
    matrix = sp.csr_array(np.array([[1, 1, 0], [0, 1, 0]], dtype=np.float32))
    got = normalised_adjacency(matrix).to_dense().numpy()
    half = np.sqrt(0.5)
    expected = np.zeros((5, 5), dtype=np.float32)
    expected[:2, 2:] = [[half, 0.5, 0], [0, half, 0]]
    np.testing.assert_allclose(got, expected + expected.T, rtol=1e-6)


def test_communities_are_learned_where_popularity_sees_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    matrix, cases, candidates = two_halves()
    popular = mean_reciprocal_rank(Popularity.fit(matrix), cases, candidates)
    # The target is the one item of the half that is left; the other half has ten.
    assert learned(tmp_path / "learned", learning_rate=0.05) > 0.9
    assert popular < 0.3
    assert "nothing to validate on" in capsys.readouterr().err


def test_nothing_is_learned_without_steps(tmp_path: Path) -> None:
    assert learned(tmp_path, learning_rate=0.0) < 0.9


def test_of_people_who_touched_nothing_nothing_is_known(tmp_path: Path) -> None:
    matrix, _, _ = two_halves()
    wider = sp.vstack([matrix, sp.csr_array((1, ITEMS), dtype=np.float32)], format="csr")
    settings = LightGcnSettings(layers=1, dimensions=4, epochs=2)
    train_lightgcn(wider, None, settings, tmp_path)
    scores = load_lightgcn(tmp_path, wider).score(cases_of([[], []], [0, 0], users=[0, PEOPLE]))
    assert np.ptp(scores[0]) > 0
    assert np.ptp(scores[1]) == 0


def test_a_seed_repeats_the_vectors(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        learned(tmp_path / name, learning_rate=0.05, seed=seed)
    vectors = {name: np.load(tmp_path / name / "items.npy") for name in ("one", "two", "other")}
    np.testing.assert_array_equal(vectors["one"], vectors["two"])
    assert np.abs(vectors["one"] - vectors["other"]).max() > 1e-3
