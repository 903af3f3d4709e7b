"""One item's record, its columns in the data contract, and the text that stands for it."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.errors import TextError

ITEM_TYPE = "item_type"
TITLE = "title"
DESCRIPTION = "description"
LANGUAGE = "language"
GENRES = "genres"
CREATOR = "creator"
YEAR = "year"

TEXT_FIELDS = (TITLE, GENRES, CREATOR, DESCRIPTION)
"""What `compose_text` reads of an item, in its order."""

GENRE_SEPARATOR = "|"

MAX_ID_BYTES = 512
"""Longest id of an item or a person, in bytes of UTF-8: what a data set may hold, and what the
server may be asked for unless it is set otherwise."""

TEXT_RECIPE = "title, genres, creator, description; v1"
"""Names what `compose_text` does. Vectors made under another recipe are other vectors, so it is
part of every cache key and of the generation's manifest. Change it with the function."""

MAX_TEXT_CHARS = 8_192
"""Longest text that is handed to a featurizer. Encoders cut far earlier, at a few hundred tokens;
a larger bound only costs time in their tokenizers."""

# Controls, line and paragraph separators, and halves of surrogate pairs (which UTF-8 cannot
# carry). Format characters such as the zero-width joiner stay: some scripts are spelt with them.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE = frozenset({"Cf", "Zs"})
_PUNCTUATION = "Po"  # full stops and their like in every script; not brackets


@dataclass(frozen=True)
class ItemRecord:
    """What is known about an item besides its id; everything but its type may be empty."""

    item_type: str
    title: str = ""
    description: str = ""
    language: str = ""
    genres: tuple[str, ...] = ()
    creator: str = ""
    year: int | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, object]) -> "ItemRecord":
        """Build a record from a table's row by column name; null and absent mean empty.

        Genres may be a list of strings or one string in the form `a|b|c`.
        """
        year = row.get(YEAR)
        return cls(
            item_type=_string(row.get(ITEM_TYPE)),
            title=_string(row.get(TITLE)),
            description=_string(row.get(DESCRIPTION)),
            language=_string(row.get(LANGUAGE)),
            genres=_genres(row.get(GENRES)),
            creator=_string(row.get(CREATOR)),
            year=year if isinstance(year, int) else None,
        )


def clean_text(text: str) -> str:
    """Return the text as encoders get it: NFC, controls and runs of space as one space, bounded.

    Every script is kept as it is. Text of which only invisible characters remain becomes "".
    Cleaning what is clean changes nothing.
    """
    spaced = " ".join(_CONTROLS.sub(" ", text).split())
    # Cut before as well: normalising a long run of combining marks takes quadratic time.
    normal = unicodedata.normalize("NFC", spaced[:MAX_TEXT_CHARS])[:MAX_TEXT_CHARS].rstrip()
    if all(unicodedata.category(char) in _INVISIBLE for char in normal):
        return ""
    return normal


def compose_text(item: ItemRecord) -> str:
    """Write the one text that stands for an item: title, genres, creator, description.

    Parts that are empty leave no trace. Language and year are left out, which are features of their
    own: encoders read bare numbers poorly.

    Raises:
        TextError: no part has anything to read.
    """
    genres = ", ".join(filter(None, (clean_text(genre) for genre in item.genres)))
    parts = (clean_text(item.title), genres, clean_text(item.creator), clean_text(item.description))
    text = clean_text(" ".join(_sentences(filter(None, parts))))
    if not text:
        raise TextError(
            f"an item of type {item.item_type[:80]!r} has no text: "
            f"{', '.join(TEXT_FIELDS[:-1])} and {TEXT_FIELDS[-1]} are all empty"
        )
    return text


def _sentences(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        yield part if unicodedata.category(part[-1]) == _PUNCTUATION else f"{part}."


def _string(value: object) -> str:
    return "" if value is None else str(value)


def _genres(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    many = value.split(GENRE_SEPARATOR) if isinstance(value, str) else value
    if not isinstance(many, Iterable):
        return (str(many),)
    return tuple(stripped for each in many if each is not None and (stripped := str(each).strip()))
