"""A small catalogue and its users, with vectors that follow from the ids alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class FakeItem:
    """An item of the fake catalogue."""

    item_id: str
    """Its id, from which its vector follows."""
    item_type: str
    """Its type."""
    title: str = ""
    """Its title; empty for none."""
    language: str = ""
    """Its language; empty for none."""
    genres: tuple[str, ...] = ()
    """Its genres."""
    creator: str = ""
    """Who made it; empty for nobody known."""
    year: int | None = None
    """When it was published; None for unknown."""


def _usual_items() -> tuple[FakeItem, ...]:
    return tuple(
        FakeItem(f"{kind}-{number}", kind, f"{kind.title()} number {number}")
        for kind in ("book", "film", "podcast")
        for number in range(20)
    )


def _usual_histories() -> dict[str, tuple[str, ...]]:
    return {
        f"user-{number}": (f"book-{number}", f"film-{number}", f"podcast-{number}")
        for number in range(10)
    }


@dataclass(frozen=True)
class FakeWorld:
    """What a fake server serves.

    Vectors are hashes: the same in every process and on every machine, and without meaning. What
    shall be recommended to whom is said outright in `recommendations`.
    """

    items: Sequence[FakeItem] = field(default_factory=_usual_items)
    """The catalogue; most popular first. Usually 20 books, films and podcasts, "book-0" on."""
    histories: Mapping[str, Sequence[str]] = field(default_factory=_usual_histories)
    """Known users and the ids of what they chose, oldest first. Usually "user-0" to "user-9"."""
    recommendations: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Ids of items, best first, for users who shall get just these; the filter still holds."""
    dimensions: int = 8
    """Length of the vectors."""
    generation: str = "fake-generation"
    """Name of the generation."""
    space_id: str = "fake-space"
    """The vectors' space; another one gives other vectors."""
    featurizer: str = "fake-text"
    """What embeds new items; empty for nothing, so that they are refused."""

    @property
    def item_types(self) -> list[str]:
        """The types of the catalogue, in alphabetical order."""
        return sorted({item.item_type for item in self.items})

    def item(self, item_id: str) -> FakeItem | None:
        """Find an item by its id."""
        return next((item for item in self.items if item.item_id == item_id), None)

    def vector(self, text: str) -> NDArray[np.float32]:
        """Give the vector of an id or a text.

        Shapes:
            returns: (dimensions,), float32, unit L2.
        """
        words = [
            blake2b(f"{self.space_id}\0{place}\0{text}".encode(), digest_size=8).digest()
            for place in range(self.dimensions)
        ]
        numbers = np.frombuffer(b"".join(words), dtype="<i8").astype(np.float64)
        return _unit(numbers)

    def mean(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Give the direction of the mean of several vectors; (dimensions,), unit L2."""
        return _unit(np.mean([self.vector(text) for text in texts], axis=0, dtype=np.float64))


def _unit(numbers: NDArray[np.float64]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = (numbers / np.linalg.norm(numbers)).astype(np.float32)
    return unit
