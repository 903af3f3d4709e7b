"""A few people of the test cases: what they did, what they are shown, and what brought it."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from retrieval.evidence import (
    DECAYS,
    EDGE_KINDS,
    HISTORY_LENGTH,
    NAMES,
    loudness,
    reach,
    say_again,
)
from retrieval.pairwise import FAINTEST
from tables.dataset import Dataset
from training.fusion import FusedRanker, people_of
from training.metrics import UNRANKED
from training.ranking import Candidates, Ranker, Scope, rank

PEOPLE = 6
SHOWN = 5
"""Items of each type that a person is shown."""
REMEMBERED = 8
"""Newest items of a history that are told."""
PATHS = 2
"""Strongest paths told of an item."""
_FAINT = 0.05
"""A path that adds less to the score did not bring the item."""


@dataclass(frozen=True)
class Work:
    """An item in words."""

    title: str
    creator: str
    item_type: str


@dataclass(frozen=True)
class Path:
    """An item of the history that spoke for a shown one."""

    source: Work
    strength: float
    """What it adds to the score; +0.7 doubles the odds."""
    same_creator: bool


@dataclass(frozen=True)
class Shown:
    """One place of a list."""

    work: Work
    is_target: bool
    paths: tuple[Path, ...] | None
    """Strongest first, empty where only the space speaks for it; None if the model has none."""


@dataclass(frozen=True)
class Example:
    """A person, their history and the lists they would be shown."""

    history: tuple[Work, ...]
    """Newest first."""
    history_length: int
    target: Work
    rank: int | None
    """Of the target among its type, 1 is best; None where it is no candidate."""
    lists: tuple[tuple[str, tuple[Shown, ...]], ...]
    """By item type."""


def draw_examples(
    ranker: Ranker,
    cases: Cases,
    candidates: Candidates,
    dataset: Dataset,
    *,
    seed: int,
    people: int = PEOPLE,
) -> tuple[Example, ...]:
    """Draw cases by the seed and ask the ranker for the top of every type.

    They are drawn blindly, not picked for looks.
    """
    drawn = np.random.default_rng(seed).permutation(len(cases))[:people]
    chosen = cases.take(np.sort(drawn))
    works = _Works(dataset)
    ranks = rank(ranker, chosen, candidates)[Scope.TYPE].rank
    tops = [_top(ranker, chosen, candidates, number) for number in _filled_types(candidates)]
    examples = []
    for case in range(len(chosen)):
        history = chosen.history(case)[::-1]
        lists = []
        for number, top in zip(_filled_types(candidates), tops, strict=True):
            rows = top[case][top[case] >= 0].astype(np.int64)
            target = int(chosen.target[case])
            shown = _explained(ranker, chosen, case, rows, target, works)
            lists.append((candidates.item_types[number], shown))
        examples.append(
            Example(
                history=tuple(works.of(int(row)) for row in history[:REMEMBERED]),
                history_length=len(history),
                target=works.of(int(chosen.target[case])),
                rank=None if ranks[case] == UNRANKED else int(ranks[case]),
                lists=tuple(lists),
            )
        )
    return tuple(examples)


def path_strengths(
    ranker: FusedRanker, cases: Cases, case: int, rows: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Say what each item of a history adds to the scores of some items, along the graph.

    Shapes:
        rows: (n,). returns: (L,) history rows, newest first, and (L, n) strengths, whose sum
            over the history is all that the graph adds.
    """
    one = cases.take(np.array([case]))
    (person,) = people_of(one, ranker.embed_users(one))
    history = person.history[:HISTORY_LENGTH]
    decays = np.array(DECAYS, dtype=np.float32)
    evidence = np.zeros((len(history), len(rows), len(NAMES)), dtype=np.float32)
    new = np.flatnonzero(ranker.catalogue.people[rows] == 0)
    loud = loudness(reach(ranker.catalogue, person), person.history)
    for place in range(len(history)):
        alone = slice(place, place + 1)
        reached = ranker.catalogue.pairs.reach(history[alone], person.weight[alone], decays)
        fade = decays**place
        faded = np.tile(np.where(fade < FAINTEST, 0, fade), len(EDGE_KINDS))
        evidence[place, :, : len(faded)] = reached.of(rows) * faded / loud
        say_again(evidence[place].T, new)
    with torch.no_grad():
        flat = torch.from_numpy(evidence.reshape(-1, len(NAMES)))
        scores = ranker.scorer(flat) - ranker.scorer(torch.zeros(1, len(NAMES)))
    return history, scores.numpy().reshape(len(history), len(rows))


class _Works:
    def __init__(self, dataset: Dataset) -> None:
        self._items = dataset.items.select("title", "creator", "item_type", "item_id")

    def of(self, row: int) -> Work:
        title, creator, item_type, item_id = self._items.row(row)
        return Work(title or item_id, creator or "", item_type)


def _filled_types(candidates: Candidates) -> list[int]:
    return [int(number) for number in np.unique(candidates.item_type)]


def _top(ranker: Ranker, cases: Cases, candidates: Candidates, item_type: int) -> NDArray[np.int32]:
    """Rank each person's items of one type. Shapes: returns (C, SHOWN), -1 where there is none."""
    any_item = np.full(len(cases), candidates.rows(item_type)[0])
    asked = dataclasses.replace(cases, target=any_item)
    return rank(ranker, asked, candidates)[Scope.TYPE].top[:, :SHOWN]


def _explained(
    ranker: Ranker, cases: Cases, case: int, rows: NDArray[np.int64], target: int, works: _Works
) -> tuple[Shown, ...]:
    if not isinstance(ranker, FusedRanker):
        return tuple(Shown(works.of(int(row)), row == target, None) for row in rows)
    history, strengths = path_strengths(ranker, cases, case, rows)
    shown = []
    for place, row in enumerate(rows.tolist()):
        work = works.of(row)
        paths = []
        for source in np.argsort(-strengths[:, place], kind="stable")[:PATHS]:
            strength = float(strengths[source, place])
            if strength > _FAINT:
                from_ = works.of(int(history[source]))
                same = bool(work.creator) and work.creator == from_.creator
                paths.append(Path(from_, strength, same))
        shown.append(Shown(work, row == target, tuple(paths)))
    return tuple(shown)
