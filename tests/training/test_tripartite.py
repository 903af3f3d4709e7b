"""The foundation with people as nodes, on a world of two halves."""

from pathlib import Path

import numpy as np

from graph.worlds import two_communities
from tests.support.runs import SMALL, make_run
from training.tripartite import make_tripartite


def test_vectors_of_items_learned_with_people_tell_the_halves_apart(tmp_path: Path) -> None:
    run = make_run(tmp_path, two_communities(people=60), settings=SMALL)
    result = make_tripartite(run)
    vectors = np.load(run.folder / "tripartite" / "vectors.npy")
    assert result.summary["people"] == 60
    assert vectors.shape == run.hgnn_vectors.shape
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    half = np.arange(24) % 12 // 6
    cosine = vectors @ vectors.T
    same = half[:, None] == half[None, :]
    apart = ~np.eye(24, dtype=np.bool_)
    assert cosine[same & apart].mean() > cosine[~same].mean() + 0.2
    assert not make_tripartite(run).ran
