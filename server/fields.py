"""People and new items, read from the wire and checked field by field."""

from collections.abc import Sequence

from features.encode import UserRecord
from features.errors import TextError
from features.schema import ItemRecord, compose_text
from nearfield.v1 import types_pb2
from server.errors import shown
from server.findings import Findings
from server.limits import MAX_WEIGHT, MIN_WEIGHT, Limits
from server.requests import NO_EVENTS, Event, History, NewItem, Person

MAX_YEAR = 9999
SIGNALS = types_pb2.Signal.values()
BYTES_PER_CHARACTER = 4
"""Most that a character takes in UTF-8."""
_SHOWN_TYPES = 20


class FieldReader:
    """Reads people and new items, against the limits and types of one server."""

    def __init__(self, limits: Limits, item_types: Sequence[str]) -> None:
        self.limits = limits
        self.types = {name: number for number, name in enumerate(item_types)}
        """Type indices by name."""

    def person(self, message: types_pb2.UserInput, findings: Findings) -> Person:
        """Read who a request is about."""
        if message.user_id:
            self.check_id(message.user_id, "user.user_id", findings)
        asked = message.demographics
        fields = {
            "country": asked.country,
            "age_bucket": asked.age_bucket,
            "gender": asked.gender,
        }
        for name, value in fields.items():
            findings.category(f"user.demographics.{name}", value)
        return Person(
            user_id=message.user_id,
            history=self._history(message.history, findings),
            demographics=UserRecord(**{name: value or None for name, value in fields.items()}),
        )

    def new_item(self, message: types_pb2.NewItem, findings: Findings) -> NewItem | None:
        """Read a new item; None where something is wrong with it."""
        noted = Findings()
        self._check_new_item(message, noted)
        record = ItemRecord(
            item_type=message.item_type,
            title=message.title,
            description=message.description,
            language=message.language,
            genres=tuple(message.genres),
            creator=message.creator,
            year=message.year if message.HasField("year") else None,
        )
        if noted.violations:
            findings.extend(noted.violations)
            return None
        try:
            text = compose_text(record)
        except TextError:
            findings.add(
                "new_item",
                "expected text in title, description, genres or creator, found nothing to read",
            )
            return None
        return NewItem(record, text, tuple(dict.fromkeys(message.related_item_ids)))

    def check_id(self, value: str, field: str, findings: Findings) -> None:
        """Note it where an id is empty or too long."""
        if not value:
            findings.add(field, "expected an id, got an empty string")
        elif len(value.encode()) > self.limits.max_id_bytes:
            most = self.limits.max_id_bytes
            findings.add(field, f"expected at most {most} bytes, got {len(value.encode())}")

    def check_ids(self, ids: Sequence[str], field: str, most: int, findings: Findings) -> None:
        """Note it where there are too many ids, or one is empty or too long."""
        if findings.count(field, len(ids), most, "ids"):
            for place, value in enumerate(ids):
                self.check_id(value, f"{field}[{place}]", findings)

    def check_type(self, name: str, field: str, findings: Findings) -> None:
        """Note it where the server has no such type."""
        if name not in self.types:
            known = ", ".join(shown(each) for each in list(self.types)[:_SHOWN_TYPES])
            findings.add(field, f"expected one of {known}, got {shown(name)}")

    def _history(self, messages: Sequence[types_pb2.HistoryEvent], findings: Findings) -> History:
        field = "user.history"
        if not findings.count(field, len(messages), self.limits.max_history_events, "events"):
            return NO_EVENTS
        messages = list(messages)  # a repeated field makes its messages anew whenever it is read
        ids = [message.item_id for message in messages]
        signals = [message.signal for message in messages]
        weighed = [message.HasField("weight") for message in messages]
        sizes = [len(each) for each in ids]
        short = self.limits.max_id_bytes // BYTES_PER_CHARACTER
        usual = not any(signals) and not any(weighed)
        if not usual or max(sizes, default=0) > short or not all(sizes):
            for place, message in enumerate(messages):
                self._check_event(message, f"{field}[{place}]", findings)
        timed = sum([message.HasField("time") for message in messages])
        if timed and timed < len(messages):
            findings.add(
                field,
                f"expected a time on every event or on none, got it on {timed} of {len(messages)}",
            )
        elif timed:
            messages.sort(key=lambda message: (message.time.seconds, message.time.nanos))
            ids = [message.item_id for message in messages]
        return History.chosen(ids) if usual else History.of([*map(self._event, messages)])

    def _check_event(self, message: types_pb2.HistoryEvent, field: str, findings: Findings) -> None:
        self.check_id(message.item_id, f"{field}.item_id", findings)
        findings.enum(f"{field}.signal", "Signal", message.signal, SIGNALS)
        if message.HasField("weight") and not MIN_WEIGHT <= message.weight <= MAX_WEIGHT:
            expected = f"expected {MIN_WEIGHT:g} to {MAX_WEIGHT:g}"
            findings.add(f"{field}.weight", f"{expected}, got {message.weight}")

    def _event(self, message: types_pb2.HistoryEvent) -> Event:
        signal = message.signal
        if signal == types_pb2.SIGNAL_NEGATIVE:
            return Event(message.item_id, 0.0)
        weak = signal == types_pb2.SIGNAL_WEAK
        usual = self.limits.weak_signal_weight if weak else 1.0
        weight = message.weight if message.HasField("weight") else usual
        return Event(message.item_id, weight, not weak)

    def _check_new_item(self, message: types_pb2.NewItem, findings: Findings) -> None:
        limits = self.limits
        self.check_type(message.item_type, "new_item.item_type", findings)
        findings.chars("new_item.title", message.title, limits.max_title_chars)
        findings.chars("new_item.creator", message.creator, limits.max_title_chars)
        most = limits.max_description_chars
        findings.chars("new_item.description", message.description, most)
        findings.category("new_item.language", message.language)
        if findings.count("new_item.genres", len(message.genres), limits.max_genres, "genres"):
            for place, genre in enumerate(message.genres):
                findings.category(f"new_item.genres[{place}]", genre)
        findings.number("new_item.year", message.year, -MAX_YEAR, MAX_YEAR)
        ids = message.related_item_ids
        self.check_ids(ids, "new_item.related_item_ids", limits.max_related_items, findings)
