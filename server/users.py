"""Vectors of people, through the user tower."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from server.answers import UserVector
from server.errors import UnknownUserError
from server.requests import Person
from server.runtime import Models
from server.stopwatch import Stopwatch
from server.stores.people import People, PersonState, history_cut


class UserEmbedder:
    """Gives people their vectors; threads may share it."""

    def __init__(self, generation: Generation, people: People, models: Models) -> None:
        self._generation = generation
        self._people = people
        self._models = models

    def embed(self, persons: Sequence[Person], watch: Stopwatch) -> list[UserVector | Exception]:
        """Embed people together, in order; someone of whom nothing is known fails alone."""
        states = [self._people.state(person) for person in persons]
        answerable = [state for state in states if state.known or state.person.described]
        with watch.stage("model"):
            vectors = iter(self.vectors(answerable))
        return [
            self._answer(state, next(vectors))
            if state.known or state.person.described
            else UnknownUserError(state.person.user_id)
            for state in states
        ]

    def _answer(self, state: PersonState, vector: NDArray[np.float32]) -> UserVector:
        most = self._generation.manifest.history_length
        return UserVector(
            vector=vector,
            provenance=state.provenance,
            user_id=state.person.user_id,
            history_events=min(len(state.rows), most),
            notices=(*state.notices, *history_cut(state.events, most)),
        )

    def vectors(self, states: Sequence[PersonState]) -> NDArray[np.float32]:
        """Run the user tower.

        Shapes:
            returns: (B, V), rows of unit norm.
        """
        if not states:
            return np.empty((0, self._generation.manifest.dimensions.vector), dtype=np.float32)
        most = self._generation.manifest.history_length
        length = min(max(len(state.rows) for state in states), most)
        rows = np.zeros((len(states), length), dtype=np.int64)
        weights = np.zeros((len(states), length), dtype=np.float32)
        for place, state in enumerate(states):
            newest = slice(min(len(state.rows), length))
            rows[place, newest] = state.rows[newest]
            weights[place, newest] = state.weights[newest]
        return self._models.embed_users(
            np.stack([state.features for state in states]),
            self._generation.history_vectors[rows],  # (B, L, D); what weighs 0 does not matter
            self._generation.item_type[rows],
            weights,
        )
