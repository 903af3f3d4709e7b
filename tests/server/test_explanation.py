import numpy as np
import pytest

from export.generation import Generation
from server.engine import Engine
from server.explanation import Explainer

Edge = tuple[int, str, int]
"""History row, relation, people."""


def all_edges(generation: Generation, hit: int, history: list[int]) -> set[Edge]:
    """Look at every list of both ends, one by one: the oracle."""
    manifest = generation.manifest
    types = manifest.item_types
    found: set[Edge] = set()
    for past in history:
        for owner, other in ((hit, past), (past, hit)):
            for slot in range(manifest.num_slots):
                near = generation.neighbours(owner, slot)
                for place in np.flatnonzero(near.rows == other):
                    relation = (
                        manifest.content_relations[slot - len(types)]
                        if slot >= len(types)
                        else "-".join(sorted((types[generation.item_type[owner]], types[slot])))
                    )
                    found.add((past, relation, int(near.users[place])))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_paths_are_exactly_the_edges_between_hits_and_history(
    engine: Engine, generation: Generation, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.permutation(len(generation))
    hits, history = rows[:20], np.append(rows[20:30], rows[20])
    explainer = Explainer(generation, engine.catalogue, most=1000)
    paths = explainer.explain(hits, history)
    lookup = generation.item_ids.lookup
    some = 0
    for hit in hits.tolist():
        got = [
            (int(lookup([path.item_id])[0]), path.relation, path.users)
            for path in paths.get(hit, ())
        ]
        assert len(got) == len(set(got))
        assert set(got) == all_edges(generation, hit, history.tolist())
        some += len(got)
    assert some > 20


def test_edges_made_by_people_come_first_heavier_ones_before_lighter_ones(
    engine: Engine, generation: Generation
) -> None:
    explainer = Explainer(generation, engine.catalogue, most=1000)
    every = explainer.explain(np.arange(10), np.arange(10, 60))
    mixed = 0
    for paths in every.values():
        keys = [(path.users == 0, -path.weight) for path in paths]
        assert keys == sorted(keys)
        mixed += len({content for content, _ in keys}) == 2
    assert mixed > 3


def test_only_the_best_paths_are_given(engine: Engine, generation: Generation) -> None:
    all_paths = Explainer(generation, engine.catalogue, most=1000)
    two = Explainer(generation, engine.catalogue, most=2)
    hits, history = np.arange(10), np.arange(10, 60)
    full = all_paths.explain(hits, history)
    assert two.explain(hits, history) == {hit: paths[:2] for hit, paths in full.items()}


@pytest.mark.parametrize(("hits", "history"), [([], [1, 2]), ([1, 2], []), ([], [])])
def test_nothing_to_explain_gives_nothing(
    engine: Engine, generation: Generation, hits: list[int], history: list[int]
) -> None:
    explainer = Explainer(generation, engine.catalogue, most=3)
    empty = explainer.explain(np.array(hits, dtype=np.int64), np.array(history, dtype=np.int64))
    assert empty == {}
