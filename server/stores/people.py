"""The people of a generation, and what a request adds to what is known of them."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from features.encode import UserArrays
from server.answers import Notice, NoticeKind, Provenance
from server.requests import NOTHING_KNOWN, Person
from server.stores.catalogue import Catalogue

DEMOGRAPHICS = ("country", "age_bucket", "gender")


@dataclass(frozen=True, eq=False)
class _Events:
    """What somebody met, oldest first.

    Shapes:
        rows: (n,) int64. weights: (n,) float32, 0 = not listened to. seen: (n,) bool.
    """

    rows: NDArray[np.int64]
    weights: NDArray[np.float32]
    seen: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PersonState:
    """All that the server knows of a person, the request included.

    Shapes:
        rows: (L,) int64, the history, newest first, as long as anything reads it.
        weights: (L,) float32, above 0.
        seen: (n,) int64, every item that was chosen or turned away, with repeats.
        features: (3,) int64, rows of the country, age and gender tables, 0 = unknown.
    """

    person: Person
    known: bool
    """Whether the generation has the user."""
    provenance: Provenance
    events: int
    """Events that are listened to, those that are older than `rows` included."""
    rows: NDArray[np.int64]
    weights: NDArray[np.float32]
    seen: NDArray[np.int64]
    features: NDArray[np.int64]
    notices: tuple[Notice, ...]


class People:
    """Reads the people of one generation; threads may share it."""

    def __init__(self, generation: Generation, catalogue: Catalogue, *, most_events: int) -> None:
        self._generation = generation
        self._catalogue = catalogue
        self._most = most_events

    def state(self, person: Person) -> PersonState:
        """Put together what is stored of a person and what the request says."""
        notices: list[Notice] = []
        user_row = self._row(person.user_id)
        if person.user_id and user_row is None:
            message = "user.user_id: the generation does not have this user"
            notices.append(Notice(NoticeKind.UNKNOWN_USER, "user.user_id", message))
        stored = self._stored(user_row)
        inline = self._inline(person, notices)
        rows = np.concatenate((stored.rows, inline.rows))
        weights = np.concatenate((stored.weights, inline.weights))
        newest = np.flatnonzero(weights > 0)[::-1]
        events = len(newest)
        newest = newest[: self._most]
        if not len(newest):
            message = "nothing is known of what this person chose"
            notices.append(Notice(NoticeKind.NO_HISTORY, "user.history", message))
        return PersonState(
            person=person,
            known=user_row is not None,
            provenance=_provenance(stored.weights, len(newest)),
            events=events,
            rows=rows[newest],
            weights=weights[newest],
            seen=rows[np.concatenate((stored.seen, inline.seen))],
            features=self._features(person, user_row, notices),
            notices=tuple(notices),
        )

    def _row(self, user_id: str) -> int | None:
        if not user_id:
            return None
        row = int(self._generation.user_ids.lookup([user_id])[0])
        return None if row < 0 else row

    def _stored(self, user_row: int | None) -> _Events:
        if user_row is None:
            nothing = np.empty(0, dtype=np.int64)
            return _Events(nothing, nothing.astype(np.float32), nothing.astype(np.bool_))
        history = self._generation.history(user_row)
        return _Events(history.rows.astype(np.int64), history.weight, history.seen)

    def _inline(self, person: Person, notices: list[Notice]) -> _Events:
        history = person.history
        rows = self._generation.item_ids.lookup(history.item_ids)
        there = rows >= 0
        if there.all():
            return _Events(rows, history.weights, history.seen)
        unknown = [history.item_ids[place] for place in np.flatnonzero(~there).tolist()]
        kind = NoticeKind.UNKNOWN_HISTORY_ITEMS
        notices.append(Notice.ignored(kind, "user.history", unknown))
        return _Events(rows[there], history.weights[there], history.seen[there])

    def _features(
        self, person: Person, user_row: int | None, notices: list[Notice]
    ) -> NDArray[np.int64]:
        stored = (
            np.zeros(len(DEMOGRAPHICS), dtype=np.int64)
            if user_row is None
            else self._generation.user_features[user_row]
        )
        if person.demographics == NOTHING_KNOWN:
            return stored
        asked = _columns(self._generation.user_encoder.encode([person.demographics]))
        given = [getattr(person.demographics, name) for name in DEMOGRAPHICS]
        for name, value, row in zip(DEMOGRAPHICS, given, asked.tolist(), strict=True):
            if value and not row:
                field = f"user.demographics.{name}"
                message = f"{field}: was never seen in training and counts as unknown"
                notices.append(Notice(NoticeKind.UNKNOWN_CATEGORY, field, message, (value,)))
        replaced = np.array([bool(value) for value in given])
        return np.where(replaced, asked, stored)


def history_cut(events: int, most: int) -> tuple[Notice, ...]:
    """Note that of a history only the newest events were used."""
    if events <= most:
        return ()
    message = f"user.history: of {events} events the newest {most} were used"
    return (Notice(NoticeKind.HISTORY_CUT, "user.history", message),)


def _columns(arrays: UserArrays) -> NDArray[np.int64]:
    """Put one person's encoded fields in a row, in the order of `user_features`."""
    return np.array([getattr(arrays, field.name)[0] for field in fields(arrays)], dtype=np.int64)


def _provenance(stored_weights: NDArray[np.float32], events: int) -> Provenance:
    if not events:
        return Provenance.FALLBACK
    return Provenance.GRAPH if (stored_weights > 0).any() else Provenance.INDUCTIVE
