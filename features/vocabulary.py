"""The only place where outside ids meet row numbers."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError, UnknownIdError

EXAMPLES = 5


@dataclass(frozen=True)
class Vocabulary:
    """Distinct ids in a fixed order; the row of an id is its place in that order.

    Raises:
        EncoderError: an id occurs twice.
    """

    ids: tuple[str, ...]
    """Outside ids, row 0 first."""

    _row_of: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        row_of = {outside: row for row, outside in enumerate(self.ids)}
        if len(row_of) != len(self.ids):
            repeated = sorted({i for row, i in enumerate(self.ids) if row_of[i] != row})
            raise EncoderError(
                f"a vocabulary needs distinct ids, but {len(repeated)} of {len(self.ids)} "
                f"repeat: {_examples(repeated)}"
            )
        object.__setattr__(self, "_row_of", row_of)

    @classmethod
    def from_ids(cls, ids: Iterable[str]) -> "Vocabulary":
        """Take ids in the order given.

        Raises:
            EncoderError: an id occurs twice.
        """
        return cls(tuple(ids))

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, outside: object) -> bool:
        return outside in self._row_of

    def rows(
        self, ids: Sequence[str], *, missing: Literal["error", "negative"]
    ) -> NDArray[np.int64]:
        """Look up the row of each id.

        What an unknown id means is for the caller to say: `error` refuses the whole
        request, `negative` answers -1 in its place.

        Shapes:
            returns: (B,) int64, one row per id.

        Raises:
            UnknownIdError: `missing` is `error` and an id is unknown.
        """
        found = np.fromiter((self._row_of.get(i, -1) for i in ids), dtype=np.int64, count=len(ids))
        if missing == "error" and (found < 0).any():
            unknown = [outside for outside, row in zip(ids, found, strict=True) if row < 0]
            raise UnknownIdError(
                f"{len(unknown)} of {len(ids)} ids are unknown among {len(self)}: "
                f"{_examples(unknown)}"
            )
        return found

    def to_json(self) -> str:
        """Write the ids as a JSON list, row 0 first."""
        return json.dumps(self.ids, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """Read what `to_json` wrote.

        Raises:
            EncoderError: not a JSON list of distinct strings.
        """
        try:
            ids = json.loads(text)
        except json.JSONDecodeError as error:
            raise EncoderError(f"a vocabulary must be JSON: {error}") from error
        return cls.from_ids(string_list(ids, "a vocabulary"))


def string_list(value: object, name: str) -> list[str]:
    """Return `value` if it is a list of strings.

    Raises:
        EncoderError: it is something else; the message begins with `name`.
    """
    if not isinstance(value, list):
        raise EncoderError(f"{name} must be a list of strings, got {type(value).__name__}")
    strings = [each for each in value if isinstance(each, str)]
    if len(strings) != len(value):
        raise EncoderError(f"{name} must hold strings only, {len(value) - len(strings)} are not")
    return strings


def _examples(ids: Sequence[str]) -> str:
    shown = ", ".join(repr(i[:80]) for i in ids[:EXAMPLES])
    return shown if len(ids) <= EXAMPLES else f"{shown}, …"
