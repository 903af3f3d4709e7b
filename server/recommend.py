"""Items for a person: state, vector, search, hits, reasons."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from server.answers import Degradation, Path, Recommendation
from server.explanation import Explainer
from server.fusion import Fuser
from server.hits import NO_PATHS, HitWriter
from server.lists import Outcome
from server.plan import Ask
from server.requests import RecommendTask
from server.search import Search
from server.stopwatch import Stopwatch
from server.stores.people import People, PersonState, history_cut
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
        fuser: Fuser | None,
        *,
        most_events: int,
    ) -> None:
        self._people = people
        self._users = users
        self._search = search
        self._explainer = explainer
        self._writer = writer
        self._fuser = fuser
        self._most = most_events

    def recommend(self, tasks: Sequence[RecommendTask], watch: Stopwatch) -> list[Recommendation]:
        """Recommend to many together, in order.

        A person without any history gets the most popular items: what the user tower says of
        somebody who chose nothing is hardly more than a guess.
        """
        states = [self._people.state(task.person) for task in tasks]
        with watch.stage("model"):
            vectors = self._vectors(tasks, states)
        with watch.stage("retrieval"):
            asks = [self._ask(*each) for each in zip(tasks, states, vectors, strict=True)]
            outcomes = self._search.run(asks, self._fuser)
            return [self._answer(*each) for each in zip(tasks, states, outcomes, strict=True)]

    def _vectors(
        self, tasks: Sequence[RecommendTask], states: Sequence[PersonState]
    ) -> list[NDArray[np.float32] | None]:
        """Give each person's vector (V,), None for people without a history.

        The user tower rounds differently with the batch that a person is in. A page has to be cut
        from the same list as the page before, so whoever pages gets a batch of their own.
        """
        vectors: list[NDArray[np.float32] | None] = [None] * len(states)
        heard = [place for place, state in enumerate(states) if len(state.rows)]
        together = [place for place in heard if tasks[place].shape.page is None]
        alone = [[place] for place in heard if tasks[place].shape.page is not None]
        for places in (together, *alone):
            made = self._users.vectors([states[place] for place in places])
            for place, vector in zip(places, made, strict=True):
                vectors[place] = vector
        return vectors

    def _ask(
        self, task: RecommendTask, state: PersonState, vector: NDArray[np.float32] | None
    ) -> Ask:
        listener = None
        thorough = task.degradation is Degradation.NONE
        if self._fuser is not None and vector is not None and thorough:
            listener = self._fuser.listen(vector, state.rows, state.weights)
        return Ask(
            vector=vector,
            shape=task.shape,
            exclude=state.seen if task.drop_seen else NO_ROWS,
            listener=listener,
        )

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
            notices=(
                *state.notices,
                *history_cut(state.events, self._most),
                *outcome.notices,
            ),
            next_page_token=outcome.next_page_token,
            seed=task.shape.seed,
            degradation=task.degradation if self._fuser else Degradation.NONE,
        )
