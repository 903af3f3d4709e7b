"""The year of an item as a few smooth numbers that stand beside its text vector.

A year's place in a catalogue is the share of the dated items before it, and half of those of its
own year: between 0 and 1, fine where many items are and coarse where few are, whatever stretch of
time the catalogue spans. `PLACES` bumps are spread evenly over that stretch,

    f_k = exp(-((place - c_k) * PLACES) ** 2 / 2),    c_k = (k + 1/2) / PLACES,

and a year is the unit vector along f: years that are near in the catalogue are alike. Between two
years of the catalogue places are interpolated, before the first and after the last they are those
of the first and last. An unknown year is what dated items are in the mean.

So a year after the last says "as new as anything here", which is near the newest items of the
same type: in a catalogue that lives, those are what the same people see next. Of a data set that
ended long ago it says the same, and hides what an item is about; leave the year out there.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.errors import EncoderError
from features.schema import ItemRecord

PLACES = 16
SCALE = 0.4
"""Length of a year beside a text vector's 1. Larger groups items by age, smaller by subject."""
_NOTHING = 1e-6  # numbers near float32's smallest are slow to multiply


@dataclass(frozen=True)
class YearEncoder:
    """Turns the years of items into vectors, by the catalogue that it was fitted on."""

    counts: tuple[tuple[int, int], ...] = ()
    """Each year of the catalogue and how many items are of it, earliest first."""

    @classmethod
    def fit(cls, records: Iterable[ItemRecord]) -> "YearEncoder":
        """Count the years; the order of the records does not matter."""
        years = Counter(record.year for record in records if record.year is not None)
        return cls(tuple(sorted(years.items())))

    @property
    def width(self) -> int:
        """Length of a vector: `PLACES`, or 0 where fewer than two years tell items apart."""
        return PLACES if len(self.counts) > 1 else 0

    @cached_property
    def _fitted(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Each year, its place, and (1, PLACES) what stands for an unknown one."""
        known, count = np.array(self.counts, dtype=np.float64).T
        places = (np.cumsum(count) - count / 2) / count.sum()
        unknown = _unit((_bumps(places) * count[:, None]).sum(axis=0, keepdims=True))
        return known, places, unknown

    def encode(self, records: Sequence[ItemRecord]) -> NDArray[np.float32]:
        """Encode the years of B items.

        Shapes:
            returns: (B, width), unit rows.
        """
        if not self.width:
            return np.zeros((len(records), 0), dtype=np.float32)
        known, places, unknown = self._fitted
        dated = np.array([record.year is not None for record in records], dtype=np.bool_)
        years = np.array([record.year or 0 for record in records], dtype=np.float64)
        vectors = np.where(dated[:, None], _bumps(np.interp(years, known, places)), unknown)
        return vectors.astype(np.float32)

    def to_json(self) -> list[tuple[int, int]]:
        """Give what `json.dumps` can write."""
        return list(self.counts)

    @classmethod
    def from_json(cls, value: object) -> "YearEncoder":
        """Take what `to_json` gave, read back.

        Raises:
            EncoderError: not pairs of a year and how many items are of it, earliest first.
        """
        pairs = value if isinstance(value, list) else [value]
        counts = tuple(tuple(pair) if isinstance(pair, list) else (pair,) for pair in pairs)
        years = [pair[0] for pair in counts]
        if (
            not all(len(pair) == 2 and all(type(each) is int for each in pair) for pair in counts)
            or years != sorted(set(years))
            or any(count < 1 for _, count in counts)
        ):
            raise EncoderError("years must be pairs of a year and a count, earliest first")
        return cls(counts)


def join_years(text: NDArray[np.float32], years: NDArray[np.float32]) -> NDArray[np.float32]:
    """Put years beside text vectors.

    Shapes:
        text: (B, F), unit rows. years: (B, Y), unit rows; Y may be 0.
        returns: (B, F + Y), unit rows; `text` itself where Y is 0.
    """
    if not years.shape[1]:
        return text
    joined = np.concatenate((text, np.float32(SCALE) * years), axis=1)
    joined /= np.float32(np.hypot(1.0, SCALE))
    return joined


def _bumps(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evaluate the bumps. Shapes: places (B,), returns (B, PLACES), unit rows."""
    centres = (np.arange(PLACES) + 0.5) / PLACES
    bumps = np.exp(-(((places[:, None] - centres) * PLACES) ** 2) / 2)
    return _unit(np.where(bumps < _NOTHING, 0, bumps))


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
