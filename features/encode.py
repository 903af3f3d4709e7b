"""Categorical fields of items and users to rows of embedding tables; unknown is row 0."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError, UnknownIdError
from features.schema import ItemRecord
from features.vocabulary import Vocabulary, string_list
from features.years import YearEncoder

UNKNOWN = 0
MOST_GENRES = 256
_ITEM_FIELDS = ("item_types", "languages", "genres")
_USER_FIELDS = ("countries", "age_buckets", "genders")
_YEARS = "years"


@dataclass(frozen=True)
class ItemArrays:
    """The fields of B items as arrays.

    Shapes:
        item_type: (B,) int64, type index, no row for unknown.
        language: (B,) int64, 0 is unknown.
        genres: (B, G) float32, a row sums to 1 over its known genres, or is all zero.
        years: (B, Y) float32, unit rows; see `features.years`.
    """

    item_type: NDArray[np.int64]
    language: NDArray[np.int64]
    genres: NDArray[np.float32]
    years: NDArray[np.float32]


@dataclass(frozen=True)
class UserArrays:
    """The fields of B users as arrays.

    Shapes:
        country, age, gender: (B,) int64, 0 is unknown.
    """

    country: NDArray[np.int64]
    age: NDArray[np.int64]
    gender: NDArray[np.int64]


@dataclass(frozen=True)
class UserRecord:
    """What is known about a user besides their id; None or "" means unknown."""

    country: str | None = None
    age_bucket: str | None = None
    gender: str | None = None


@dataclass(frozen=True)
class ItemEncoder:
    """Turns item records into arrays, by what it saw when it was fitted.

    Genres have no unknown row: a genre that is not known is left out of the multi-hot row.
    """

    item_types: Vocabulary
    languages: Vocabulary
    genres: Vocabulary
    years: YearEncoder = field(default_factory=YearEncoder)

    @classmethod
    def fit(
        cls, records: Iterable[ItemRecord], *, min_count: int = 1, most_genres: int = MOST_GENRES
    ) -> "ItemEncoder":
        """Collect the types, the years, and languages and genres of at least `min_count` items.

        Of the genres the most frequent are taken, `most_genres` at most: an item has a number for
        each. Each list is sorted, so the order of the records does not matter.
        """
        types: set[str] = set()
        languages: Counter[str] = Counter()
        genres: Counter[str] = Counter()
        records = list(records)
        for record in records:
            types.add(record.item_type)
            languages[_category(record.language)] += 1
            genres.update({_category(genre) for genre in record.genres})
        return cls(
            item_types=Vocabulary.from_ids(sorted(types)),
            languages=_frequent(languages, min_count),
            genres=_frequent(_most(genres, most_genres), min_count),
            years=YearEncoder.fit(records),
        )

    def encode(self, records: Sequence[ItemRecord]) -> ItemArrays:
        """Encode records; unseen languages become row 0, unseen genres are left out.

        Shapes:
            returns: arrays over B = len(records), which may be 0.

        Raises:
            UnknownIdError: an item type was not there at fitting; types are part of the model's
                structure, so there is nothing to fall back on.
        """
        multi_hot = np.zeros((len(records), len(self.genres)), dtype=np.float32)
        for place, record in enumerate(records):
            known = {genre for each in record.genres if (genre := _category(each)) in self.genres}
            if known:
                columns = self.genres.rows(sorted(known), missing="error")
                multi_hot[place, columns] = 1 / len(known)
        return ItemArrays(
            item_type=self._types([record.item_type for record in records]),
            language=_category_rows(self.languages, [record.language for record in records]),
            genres=multi_hot,
            years=self.years.encode(records),
        )

    def unknown_genres(self, record: ItemRecord) -> tuple[str, ...]:
        """List the genres of a record that were not there at fitting, each once, as spelled."""
        spelled: dict[str, str] = {}
        for genre in record.genres:
            spelled.setdefault(_category(genre), genre)
        return tuple(genre for name, genre in spelled.items() if name and name not in self.genres)

    def _types(self, names: Sequence[str]) -> NDArray[np.int64]:
        try:
            return self.item_types.rows(names, missing="error")
        except UnknownIdError as error:
            known = ", ".join(self.item_types.ids)
            raise UnknownIdError(f"item_type must be one of {known}: {error}") from error

    def to_json(self) -> str:
        """Write the vocabularies and the years as one JSON object."""
        parts = {name: getattr(self, name).ids for name in _ITEM_FIELDS}
        return json.dumps({**parts, _YEARS: self.years.to_json()}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "ItemEncoder":
        """Read what `to_json` wrote, now or before there were years.

        Raises:
            EncoderError: not such an object.
        """
        parts = _object(text, "item encoder")
        years = YearEncoder.from_json(parts.pop(_YEARS, []))
        types, languages, genres = _vocabularies(parts, "item encoder", _ITEM_FIELDS)
        return cls(types, languages, genres, years)


@dataclass(frozen=True)
class UserEncoder:
    """Turns user records into arrays, by what it saw when it was fitted."""

    countries: Vocabulary
    age_buckets: Vocabulary
    genders: Vocabulary

    @classmethod
    def fit(cls, records: Iterable[UserRecord], *, min_count: int = 1) -> "UserEncoder":
        """Collect the values that at least `min_count` users have, each list sorted."""
        countries: Counter[str] = Counter()
        ages: Counter[str] = Counter()
        genders: Counter[str] = Counter()
        for record in records:
            countries[_category(record.country)] += 1
            ages[_category(record.age_bucket)] += 1
            genders[_category(record.gender)] += 1
        return cls(*(_frequent(counts, min_count) for counts in (countries, ages, genders)))

    def encode(self, records: Sequence[UserRecord]) -> UserArrays:
        """Encode records; whatever is missing or was not seen at fitting becomes row 0.

        Shapes:
            returns: arrays over B = len(records), which may be 0.
        """
        return UserArrays(
            country=_category_rows(self.countries, [record.country for record in records]),
            age=_category_rows(self.age_buckets, [record.age_bucket for record in records]),
            gender=_category_rows(self.genders, [record.gender for record in records]),
        )

    def to_json(self) -> str:
        """Write the three vocabularies as one JSON object."""
        lists = {name: getattr(self, name).ids for name in _USER_FIELDS}
        return json.dumps(lists, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "UserEncoder":
        """Read what `to_json` wrote.

        Raises:
            EncoderError: not such an object.
        """
        return cls(*_vocabularies(_object(text, "user encoder"), "user encoder", _USER_FIELDS))


def _category(value: str | None) -> str:
    """Fold spellings of the same value together: "EN " and "en", "Café" in either form."""
    return normalize("NFC", (value or "").strip().casefold())


def _most(counts: Counter[str], most: int) -> Counter[str]:
    """Keep the most frequent values, of equally frequent ones those that come first by name."""
    named = {value: count for value, count in counts.items() if value}
    return Counter(dict(sorted(named.items(), key=lambda each: (-each[1], each[0]))[:most]))


def _frequent(counts: Counter[str], min_count: int) -> Vocabulary:
    kept = (value for value, count in counts.items() if value and count >= min_count)
    return Vocabulary.from_ids(sorted(kept))


def _category_rows(vocabulary: Vocabulary, values: Sequence[str | None]) -> NDArray[np.int64]:
    # -1 for the unknown, one further for everybody: row 0 of an embedding table is the unknown.
    return vocabulary.rows([_category(value) for value in values], missing="negative") + 1


def _object(text: str, name: str) -> dict[str, object]:
    try:
        parts = json.loads(text)
    except json.JSONDecodeError as error:
        raise EncoderError(f"the {name} must be JSON: {error}") from error
    if not isinstance(parts, dict):
        raise EncoderError(f"the {name} must be an object, got {type(parts).__name__}")
    return parts


def _vocabularies(
    parts: Mapping[str, object], name: str, fields: tuple[str, str, str]
) -> list[Vocabulary]:
    if set(parts) != set(fields):
        raise EncoderError(f"the {name} must be an object with exactly {', '.join(fields)}")
    return [Vocabulary.from_ids(string_list(parts[key], f"{name}: {key}")) for key in fields]
