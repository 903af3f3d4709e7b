"""The second channel on the tiny generation: what is reached takes part, and filters hold."""

import numpy as np
import pytest
from numpy.typing import NDArray

from export.generation import Generation
from retrieval.admission import Admission
from retrieval.evidence import NAMES, NEAREST
from retrieval.fused import Listener
from retrieval.query import Query, Selection
from server.fusion import Fuser

NOTHING = Selection(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32), 60)
ONE = np.ones(1, dtype=np.float32)


class Weighs:
    """A scorer that listens to some columns."""

    def __init__(self, **weights: float) -> None:
        self.weight = np.array([weights.get(name.replace(" ", "_"), 0.0) for name in NAMES])

    def score(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = (evidence @ self.weight).astype(np.float32)
        return scores


def make(generation: Generation, **weights: float) -> Fuser:
    return Fuser(generation, Weighs(**weights))


def listen(fuser: Fuser, generation: Generation, *history: int) -> Listener:
    rows = np.array(history, dtype=np.int64)
    return fuser.listen(generation.item_vectors[0], rows, np.ones(len(rows), dtype=np.float32))


def query(generation: Generation, k: int, **filters: object) -> Query:
    return Query(generation.item_vectors[0], k, **filters)  # type: ignore[arg-type]  # any filter


def spoken_for(generation: Generation, row: int) -> dict[int, float]:
    """What an item says of others, by counted edges, from the generation's own lists."""
    said = {}
    for slot in range(len(generation.manifest.item_types)):
        for owner in range(len(generation)):
            near = generation.neighbours(owner, slot)
            for neighbour, weight in zip(near.rows.tolist(), near.weights.tolist(), strict=True):
                if neighbour == row:
                    said[owner] = weight
    return said


def test_what_the_history_speaks_for_is_found_without_the_index(generation: Generation) -> None:
    fuser = make(generation, **{"together_1.0": 1.0})
    said = spoken_for(generation, 0)
    found = fuser.rank(listen(fuser, generation, 0), query(generation, 5), NOTHING)
    best = sorted(said, key=lambda row: (-said[row], row))[:5]
    assert found.rows.tolist() == best
    loud = said[best[0]] ** 0.5
    np.testing.assert_allclose(found.scores, [said[row] / loud for row in best], rtol=1e-6)
    assert found.available == 60


def test_both_channels_are_ranked_together(generation: Generation) -> None:
    fuser = make(generation, likeness=1.0)
    near = Selection(np.array([59, 58]), np.zeros(2, dtype=np.float32), 60)
    listener = listen(fuser, generation, 0)
    found = fuser.rank(listener, query(generation, 60), near)
    assert set(found.rows.tolist()) == {58, 59} | set(listener.reached.tolist())
    likeness = generation.item_vectors[found.rows] @ generation.item_vectors[0]
    np.testing.assert_allclose(found.scores, likeness, atol=1e-6)
    assert (np.diff(found.scores) <= 0).all()


def test_equal_scores_are_in_the_order_of_rows(generation: Generation) -> None:
    fuser = make(generation)
    found = fuser.rank(listen(fuser, generation, 0), query(generation, 60), NOTHING)
    assert found.rows.tolist() == sorted(found.rows.tolist())


def test_filters_hold_for_what_is_reached(generation: Generation) -> None:
    fuser = make(generation, likeness=1.0)
    listener = listen(fuser, generation, 0, 30)
    reached = listener.reached
    exclude = reached[::2].copy()
    for filters, admitted in (
        ({"exclude": exclude}, np.setdiff1d(reached, exclude)),
        ({"include": exclude}, exclude),
        ({"admitted": Admission(np.sort(exclude), len(generation))}, np.sort(exclude)),
        ({"types": (1,)}, reached[generation.item_type[reached] == 1]),
    ):
        found = fuser.rank(listener, query(generation, 60, **filters), NOTHING)
        assert sorted(found.rows.tolist()) == sorted(admitted.tolist())


def test_history_that_reaches_nothing_leaves_the_index(generation: Generation) -> None:
    fuser = make(generation, likeness=1.0)
    listener = fuser.listen(generation.item_vectors[0], np.empty(0, dtype=np.int64), ONE[:0])
    assert fuser.rank(listener, query(generation, 5), NOTHING).rows.shape == (0,)


@pytest.mark.parametrize(("k", "depth"), [(3, NEAREST), (NEAREST + 1, NEAREST + 1)])
def test_index_is_asked_for_as_many_as_the_scorer_knows(
    generation: Generation, k: int, depth: int
) -> None:
    assert make(generation).deepen(query(generation, k)).k == depth
