"""Recommendations for a server in need: read from what is there, at next to no cost."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from retrieval.query import Selection
from server.answers import Degradation, Provenance, Recommendation
from server.engine import Engine
from server.lists import FoundList, Outcome
from server.requests import ItemFilter, RecommendTask, Shape
from server.stores.people import PersonState

NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)
_PLAIN = Shape(1, ItemFilter())


class InNeed:
    """Reads recommendations of one generation; for one thread.

    A known user gets the list that is kept ready, without what the request says was seen; everybody
    else what is popular. What a request filters or arranges cannot be read.
    """

    def __init__(self, engine: Engine) -> None:
        self._generation = engine.generation
        self._people = engine.people
        self._writer = engine.writer
        self._chances = engine.generation.manifest.calibration is not None
        self._popular = engine.popular

    def recommend(self, task: RecommendTask) -> Recommendation | None:
        """Recommend to a person; None where it takes a search."""
        if task.explain or replace(task.shape, k=1, titles=False) != _PLAIN:
            return None
        state = self._people.state(task.person)
        hidden = state.seen if task.drop_seen else NO_ROWS
        return self._stored(task, state, hidden) or self._of_all(task, state, hidden)

    def _stored(
        self, task: RecommendTask, state: PersonState, hidden: NDArray[np.int64]
    ) -> Recommendation | None:
        ready = self._generation.ready
        if ready is None or not state.known:
            return None
        (user,) = self._generation.user_ids.lookup([task.person.user_id]).tolist()
        rows = ready.rows[user].astype(np.int64)
        kept = np.flatnonzero((rows >= 0) & ~np.isin(rows, hidden))[: task.shape.k]
        if len(kept) < task.shape.k:
            return None
        selection = Selection(rows[kept], ready.scores[user][kept], len(kept))
        chances = ready.chances[user][kept].astype(np.float64) if self._chances else None
        return self._answer(task, state, FoundList(None, selection, chances), Degradation.STORED)

    def _of_all(
        self, task: RecommendTask, state: PersonState, hidden: NDArray[np.int64]
    ) -> Recommendation | None:
        rows = self._popular[~np.isin(self._popular, hidden)][: task.shape.k]
        if len(rows) < task.shape.k:
            return None
        selection = Selection(rows, self._generation.popularity[rows], len(rows))
        return self._answer(task, state, FoundList(None, selection), Degradation.POPULAR)

    def _answer(
        self,
        task: RecommendTask,
        state: PersonState,
        found: FoundList,
        degradation: Degradation,
    ) -> Recommendation:
        popular = degradation is Degradation.POPULAR
        outcome = Outcome((found,), ())
        return Recommendation(
            lists=self._writer.lists(outcome, titles=task.shape.titles, popular=popular),
            provenance=Provenance.FALLBACK if popular else state.provenance,
            history_events=0 if popular else len(state.rows),
            notices=state.notices,
            degradation=degradation,
        )
