"""Answers that are read instead of computed: of known users, from their stored history alone."""

from collections.abc import Mapping

import numpy as np

from export.generation import Generation, Ready
from nearfield.v1 import embedding_pb2, recommendation_pb2, types_pb2
from server.answers import Provenance, UserVector
from server.bytes import HitBytes, counted
from server.stores.catalogue import Catalogue
from server.stores.people import history_cut
from server.wire import PROVENANCES

PLAIN = {"user", "k", "request_id"}
"""Fields of a RecommendRequest that a kept list can answer."""
AS_KEPT: Mapping[str, object] = {
    "drop_seen": True,
    "grouping": types_pb2.GROUPING_SINGLE_LIST,
    "filter": recommendation_pb2.ItemFilter(),
    "hit_options": recommendation_pb2.HitOptions(),
}
"""What other fields may say that holds without them. Whatever else is set is computed."""
_HITS = recommendation_pb2.Recommendation.HITS_FIELD_NUMBER
_PROVENANCE = recommendation_pb2.Recommendation.PROVENANCE_FIELD_NUMBER
_EVENTS = recommendation_pb2.Recommendation.HISTORY_EVENTS_FIELD_NUMBER


class ReadyAnswers:
    """Looks up what a generation keeps ready; for one thread."""

    def __init__(
        self, generation: Generation, ready: Ready, catalogue: Catalogue, *, most_events: int
    ) -> None:
        self._generation = generation
        self._ready = ready
        self._hits = HitBytes(catalogue)
        self._most = most_events
        self._listed = ready.rows.shape[1]
        self._chances = generation.manifest.calibration is not None

    @classmethod
    def of(
        cls, generation: Generation, catalogue: Catalogue, *, most_events: int
    ) -> "ReadyAnswers | None":
        """Open what a generation keeps ready; None where it keeps nothing."""
        if generation.ready is None:
            return None
        return cls(generation, generation.ready, catalogue, most_events=most_events)

    def recommendation(
        self, request: recommendation_pb2.RecommendRequest, default_k: int
    ) -> bytes | None:
        """Write a Recommendation; None where it has to be computed.

        What is written here and what would be computed differ by rounding alone.
        """
        if not all(_plain(field.name, value) for field, value in request.ListFields()):
            return None
        user = self._row(request.user)
        k = request.k if request.HasField("k") else default_k
        if user is None or not 1 <= k <= self._listed:
            return None
        rows = self._ready.rows[user, :k]
        events = self._events(user)
        if rows[-1] < 0 or events > self._most:  # fewer than k, or a history cut: both say so
            return None
        return b"".join(
            (
                self._hits.write(
                    _HITS,
                    rows.tolist(),
                    self._ready.scores[user, :k].tolist(),
                    self._ready.chances[user, :k].tolist() if self._chances else None,
                ),
                counted(_PROVENANCE, PROVENANCES[Provenance.GRAPH]),
                counted(_EVENTS, events),
            )
        )

    def embedding(self, request: embedding_pb2.EmbedUserRequest) -> UserVector | None:
        """Give a user's vector; None where it has to be computed."""
        user = self._row(request.user)
        if user is None:
            return None
        events, most = self._events(user), self._generation.manifest.history_length
        return UserVector(
            vector=self._ready.vectors[user],
            provenance=Provenance.GRAPH if events else Provenance.FALLBACK,
            user_id=request.user.user_id,
            history_events=min(events, most),
            notices=history_cut(events, most),
        )

    def _row(self, user: types_pb2.UserInput) -> int | None:
        """Find a user of whom the request says nothing but the id."""
        if not user.user_id or user.history or user.HasField("demographics"):
            return None
        row = int(self._generation.user_ids.lookup([user.user_id])[0])
        return None if row < 0 else row

    def _events(self, user: int) -> int:
        """Count the events of a user that are listened to."""
        first, last = self._generation.history_indptr[user : user + 2].tolist()
        return int(np.count_nonzero(self._generation.history_weight[first:last] > 0))


def _plain(name: str, value: object) -> bool:
    return name in PLAIN or (name in AS_KEPT and AS_KEPT[name] == value)
