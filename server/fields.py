"""The parts that requests share, read from the wire and checked field by field."""

from collections.abc import Iterable, Sequence

from features.encode import UserRecord
from features.errors import TextError
from features.schema import ItemRecord, compose_text
from nearfield.v1 import recommendation_pb2, types_pb2
from server.errors import shown
from server.findings import Findings
from server.limits import MAX_WEIGHT, MIN_WEIGHT, Limits
from server.requests import Event, ItemFilter, NewItem, Person, Shape

MAX_YEAR = 9999
SIGNALS = types_pb2.Signal.values()
BYTES_PER_CHARACTER = 4
"""Most that a character takes in UTF-8."""
_SHOWN_TYPES = 20


class FieldReader:
    """Reads the parts that requests share, against the limits and types of one server."""

    def __init__(self, limits: Limits, item_types: Sequence[str]) -> None:
        self.limits = limits
        self._types = {name: number for number, name in enumerate(item_types)}

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

    def shape(
        self,
        message: recommendation_pb2.RecommendRequest | recommendation_pb2.FindSimilarItemsRequest,
        findings: Findings,
    ) -> Shape:
        """Read how an answer with hits shall look."""
        k = message.k if message.HasField("k") else self.limits.default_k
        per_type = message.grouping == types_pb2.GROUPING_PER_TYPE
        findings.enum("grouping", "Grouping", message.grouping, types_pb2.Grouping.values())
        shape = Shape(k, self._filter(message.filter, findings), per_type, message.include_titles)
        most = self.limits.max_k
        if not 1 <= k <= most:
            findings.add("k", f"expected 1 to {most}, got {k}")
        elif self.hits(shape) > self.limits.max_hits_per_call:
            most = self.limits.max_hits_per_call
            findings.add("k", f"expected at most {most} hits in all, got {self.hits(shape)}")
        return shape

    def hits(self, shape: Shape) -> int:
        """Count the hits that a request may bring."""
        types = len(self._types) if shape.filter.types is None else len(shape.filter.types)
        return shape.k * (types if shape.per_type else 1)

    def check_id(self, value: str, field: str, findings: Findings) -> None:
        """Note it where an id is empty or too long."""
        if not value:
            findings.add(field, "expected an id, got an empty string")
        elif len(value.encode()) > self.limits.max_id_bytes:
            most = self.limits.max_id_bytes
            findings.add(field, f"expected at most {most} bytes, got {len(value.encode())}")

    def _history(
        self, messages: Sequence[types_pb2.HistoryEvent], findings: Findings
    ) -> tuple[Event, ...]:
        field = "user.history"
        if not findings.count(field, len(messages), self.limits.max_history_events, "events"):
            return ()
        short = self.limits.max_id_bytes // BYTES_PER_CHARACTER
        for place, message in enumerate(messages):
            usual = 0 < len(message.item_id) <= short and message.signal in SIGNALS
            if not usual or message.HasField("weight"):
                self._check_event(message, f"{field}[{place}]", findings)
        timed = sum(message.HasField("time") for message in messages)
        ordered: Iterable[types_pb2.HistoryEvent] = messages
        if timed == len(messages):
            ordered = sorted(messages, key=lambda m: (m.time.seconds, m.time.nanos))
        elif timed:
            findings.add(
                field,
                f"expected a time on every event or on none, got it on {timed} of {len(messages)}",
            )
        return tuple(map(self._event, ordered))

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

    def _filter(self, message: recommendation_pb2.ItemFilter, findings: Findings) -> ItemFilter:
        types = dict.fromkeys(message.item_types)
        for name in types:
            self._check_type(name, "filter.item_types", findings)
        for field, ids in (
            ("filter.include_item_ids", message.include_item_ids),
            ("filter.exclude_item_ids", message.exclude_item_ids),
        ):
            self._check_ids(ids, field, self.limits.max_filter_ids, findings)
        return ItemFilter(
            types=tuple(self._types.get(name, -1) for name in types) or None,
            include=tuple(message.include_item_ids) or None,
            exclude=tuple(message.exclude_item_ids),
        )

    def _check_new_item(self, message: types_pb2.NewItem, findings: Findings) -> None:
        limits = self.limits
        self._check_type(message.item_type, "new_item.item_type", findings)
        findings.chars("new_item.title", message.title, limits.max_title_chars)
        findings.chars("new_item.creator", message.creator, limits.max_title_chars)
        most = limits.max_description_chars
        findings.chars("new_item.description", message.description, most)
        findings.category("new_item.language", message.language)
        if findings.count("new_item.genres", len(message.genres), limits.max_genres, "genres"):
            for place, genre in enumerate(message.genres):
                findings.category(f"new_item.genres[{place}]", genre)
        if not -MAX_YEAR <= message.year <= MAX_YEAR:
            expected = f"expected -{MAX_YEAR} to {MAX_YEAR}"
            findings.add("new_item.year", f"{expected}, got {message.year}")
        ids = message.related_item_ids
        self._check_ids(ids, "new_item.related_item_ids", limits.max_related_items, findings)

    def _check_ids(self, ids: Sequence[str], field: str, most: int, findings: Findings) -> None:
        if findings.count(field, len(ids), most, "ids"):
            for place, value in enumerate(ids):
                self.check_id(value, f"{field}[{place}]", findings)

    def _check_type(self, name: str, field: str, findings: Findings) -> None:
        if name not in self._types:
            known = ", ".join(shown(each) for each in list(self._types)[:_SHOWN_TYPES])
            findings.add(field, f"expected one of {known}, got {shown(name)}")
