"""The catalogue with some items as if nobody had chosen them, and what the scorer makes of it."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from graph.unchosen import draw_parts
from graph.worlds import two_communities
from models.hgnn_checkpoint import load_hgnn
from models.scorer_checkpoint import load_scorer
from retrieval.evidence import EDGE_KINDS, NAMES
from retrieval.pairwise import PairTable
from tests.support.runs import QUICK, make_run
from training.fusion import FusionSettings
from training.pipeline import Run
from training.stages.pretending import Pretence
from training.stages.unchosen import known_of_unchosen

PEOPLE = np.array([0, 3, 1, 0, 2, 5, 1], dtype=np.float32)


def test_every_chosen_item_is_in_one_part_and_no_other_in_any() -> None:
    parts = draw_parts(PEOPLE, 2, 0)
    assert [int(part.sum()) for part in parts] == [3, 2]
    assert (np.sum(parts, axis=0) == (PEOPLE > 0)).all()
    assert draw_parts(PEOPLE, 0, 0) == []


def test_parts_follow_the_seed() -> None:
    people = np.ones(100, dtype=np.float32)
    first, again, other = (draw_parts(people, 5, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    made = make_run(
        tmp_path_factory.mktemp("run"), two_communities(people=60, withheld=2), settings=QUICK
    )
    made.make_adaptation()
    made.make_fusion()
    return made


def test_drawn_items_are_as_unknown_as_new_ones_and_others_stay(run: Run) -> None:
    _, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    catalogue = run.evidence(PairTable.load(run.folder / "fusion"), items)
    new = draw_parts(catalogue.people, 5, 0)[0]
    shown = Pretence(run, run.folder / "adaptation", catalogue).of(new)
    assert 0 < new.sum() < len(new) / 2
    assert not shown.people[new].any()
    np.testing.assert_array_equal(shown.people[~new], catalogue.people[~new])
    text = catalogue.text_width
    np.testing.assert_allclose(shown.known[:, -text:], catalogue.known[:, -text:], atol=1e-6)
    for now, before in (
        (shown.known, catalogue.known),
        (shown.item_vectors, catalogue.item_vectors),
    ):
        np.testing.assert_array_equal(now[~new], before[~new])
        assert (np.abs(now[new] - before[new]).max(axis=1) > 1e-4).all()
        np.testing.assert_allclose(np.linalg.norm(now, axis=1), 1, rtol=1e-5)
    content = EDGE_KINDS.index("content")
    now, before = (_dense(pairs) for pairs in (shown.pairs, catalogue.pairs))
    assert not np.delete(now[:, new], content, axis=2).any()
    np.testing.assert_array_equal(now[..., content], before[..., content])
    np.testing.assert_array_equal(now[:, ~new], before[:, ~new])


def _dense(pairs: PairTable) -> NDArray[np.float32]:
    """Lay a table out. Shapes: returns (N, N, K)."""
    items = len(pairs.indptr) - 1
    table = np.zeros((items, items, pairs.weights.shape[1]), dtype=np.float32)
    table[np.repeat(np.arange(items), np.diff(pairs.indptr)), pairs.targets] = pairs.weights
    return table


def test_a_history_reaches_drawn_items_by_content_alone(run: Run) -> None:
    _, items = run.tower_vectors("adaptation", run.hgnn_vectors)
    catalogue = run.evidence(PairTable.load(run.folder / "fusion"), items)
    new = draw_parts(catalogue.people, 5, 0)[0]
    shown = Pretence(run, run.folder / "adaptation", catalogue).of(new)
    content, one = EDGE_KINDS.index("content"), np.ones(1, dtype=np.float32)
    fewer = 0
    for item in range(len(new)):
        before, now = (
            pairs.reach(np.array([item]), one, one) for pairs in (catalogue.pairs, shown.pairs)
        )
        of_new = new[now.rows]
        assert (now.sums[of_new, content] > 0).all()
        np.testing.assert_array_equal(now.rows[~of_new], before.rows[~new[before.rows]])
        fewer += new[before.rows].sum() - of_new.sum()
    assert fewer > 0


def test_the_foundation_tells_what_it_would_know_had_nobody_chosen_an_item(run: Run) -> None:
    known, unchosen = run.hgnn_vectors, run.unchosen_vectors
    chosen = run.graph.people > 0
    np.testing.assert_array_equal(unchosen[~chosen], known[~chosen])
    assert (np.abs(unchosen[chosen] - known[chosen]).max(axis=1) > 1e-4).all()
    item = int(np.flatnonzero(chosen)[0])
    alone = np.arange(len(known)) == item
    settings = run.settings.foundation
    said = known_of_unchosen(load_hgnn(run.folder / "foundation"), run, alone, settings)[0]
    part = next(part for part in draw_parts(run.graph.people, 5, 0) if part[item])
    of_part = known_of_unchosen(load_hgnn(run.folder / "foundation"), run, part, settings)
    np.testing.assert_allclose(unchosen[part], of_part, atol=1e-6)
    # Which other items are new beside it reaches it through its creator's alone.
    assert said @ unchosen[item] > said @ known[item]


def test_the_scorer_learns_what_new_items_are_worth(run: Run, tmp_path: Path) -> None:
    places = [NAMES.index("new"), NAMES.index("likeness, new"), NAMES.index("closest text, new")]
    assert load_scorer(run.folder / "fusion").weight[places].abs().min() > 0
    record = json.loads((run.folder / "fusion" / "stage.json").read_text())
    assert record["summary"]["pretended_parts"] == 5
    settings = dataclasses.replace(QUICK, fusion=FusionSettings(pretended_parts=0))
    none = make_run(tmp_path, two_communities(people=60), settings=settings)
    none.make_adaptation()
    none.make_fusion()
    record = json.loads((none.folder / "fusion" / "stage.json").read_text())
    assert record["summary"]["pretended_parts"] == 0
