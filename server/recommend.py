"""Items for a person: state, vector, search, hits, reasons."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from server.answers import Path, Recommendation
from server.explanation import Explainer
from server.hits import NO_PATHS, HitWriter
from server.requests import RecommendTask
from server.search import Ask, Outcome, Search
from server.stopwatch import Stopwatch
from server.stores.people import People, PersonState
from server.users import UserEmbedder

NO_ROWS: NDArray[np.int64] = np.empty(0, dtype=np.int64)


class Recommender:
    """Recommends items of one generation; threads may share it."""

    def __init__(
        self,
        people: People,
        users: UserEmbedder,
        search: Search,
        explainer: Explainer,
        writer: HitWriter,
    ) -> None:
        self._people = people
        self._users = users
        self._search = search
        self._explainer = explainer
        self._writer = writer

    def recommend(self, tasks: Sequence[RecommendTask], watch: Stopwatch) -> list[Recommendation]:
        """Recommend to many together, in order.

        A person without any history gets the most popular items: what the user tower says of
        somebody who chose nothing is hardly more than a guess.
        """
        states = [self._people.state(task.person) for task in tasks]
        with watch.stage("model"):
            vectors = iter(self._users.vectors([state for state in states if len(state.rows)]))
        asks = [
            Ask(
                vector=next(vectors) if len(state.rows) else None,
                shape=task.shape,
                exclude=state.seen if task.drop_seen else NO_ROWS,
            )
            for task, state in zip(tasks, states, strict=True)
        ]
        with watch.stage("retrieval"):
            outcomes = self._search.run(asks)
            return [self._answer(*each) for each in zip(tasks, states, outcomes, strict=True)]

    def _answer(self, task: RecommendTask, state: PersonState, outcome: Outcome) -> Recommendation:
        paths: Mapping[int, tuple[Path, ...]] = NO_PATHS
        if task.explain:
            rows = np.concatenate([found.selection.rows for found in outcome.lists])
            paths = self._explainer.explain(rows, state.rows)
        return Recommendation(
            lists=self._writer.lists(
                outcome, titles=task.shape.titles, popular=not len(state.rows), paths=paths
            ),
            provenance=state.provenance,
            history_events=len(state.rows),
            notices=(*state.notices, *outcome.notices),
        )
