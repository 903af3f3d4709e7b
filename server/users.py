"""Vectors of people, through the user tower."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from server.answers import UserVector
from server.errors import UnknownUserError
from server.requests import Person
from server.runtime import Models, UserInputs, in_parts
from server.stopwatch import Stopwatch
from server.stores.people import People, PersonState, history_cut


class UserEmbedder:
    """Gives people their vectors; threads may share it."""

    def __init__(self, generation: Generation, people: People, models: Models) -> None:
        self._generation = generation
        self._people = people
        self._models = models

    def state(self, person: Person) -> PersonState:
        """Put together what is known of a person.

        Raises:
            UnknownUserError: nothing is.
        """
        state = self._people.state(person)
        if not state.known and not person.described:
            raise UnknownUserError(person.user_id)
        return state

    def embed(self, states: Sequence[PersonState], watch: Stopwatch) -> list[UserVector]:
        """Embed people together, in order."""
        with watch.stage("model"):
            vectors = self.vectors(states)
        return [self._answer(*each) for each in zip(states, vectors, strict=True)]

    def vectors(self, states: Sequence[PersonState]) -> NDArray[np.float32]:
        """Run the user tower.

        Shapes:
            returns: (B, V), rows of unit norm.
        """
        vectors = np.empty(
            (len(states), self._generation.manifest.dimensions.vector), dtype=np.float32
        )
        # People with histories of like length together: the shorter ones are padded.
        places = sorted(range(len(states)), key=lambda place: len(states[place].rows))
        for part in in_parts(places, self._models.rows_at_once):
            vectors[part] = self._models.embed_users(self._inputs([states[each] for each in part]))
        return vectors

    def _answer(self, state: PersonState, vector: NDArray[np.float32]) -> UserVector:
        most = self._generation.manifest.history_length
        return UserVector(
            vector=vector,
            provenance=state.provenance,
            user_id=state.person.user_id,
            history_events=min(len(state.rows), most),
            notices=(*state.notices, *history_cut(state.events, most)),
        )

    def _inputs(self, states: Sequence[PersonState]) -> UserInputs:
        most = self._generation.manifest.history_length
        length = min(max(len(state.rows) for state in states), most)
        rows = np.zeros((len(states), length), dtype=np.int64)
        weights = np.zeros((len(states), length), dtype=np.float32)
        for place, state in enumerate(states):
            newest = slice(min(len(state.rows), length))
            rows[place, newest] = state.rows[newest]
            weights[place, newest] = state.weights[newest]
        return UserInputs(
            features=np.stack([state.features for state in states]),
            history=self._generation.history_vectors[rows],  # what weighs 0 does not matter
            history_type=self._generation.item_type[rows],
            history_weight=weights,
        )
