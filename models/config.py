"""What a model is made of: typed, checked once, stored beside its weights."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class HGNNConfig:
    """Shape of the heterogeneous GNN; see `models.hgnn`."""

    item_types: tuple[str, ...]
    """Item types in the order of their indices; one self weight each."""
    content_relations: tuple[str, ...] = ()
    """Relations that join items by content, such as a common creator; one weight each."""
    text_dimensions: int
    """Width of layer 0, the text vectors and what stands beside them; see `models.hgnn`."""
    hidden_dimensions: int = 128
    """Width of each layer but the last."""
    dimensions: int = 128
    """Width of the last layer. The item vector z holds layer 0 beside it."""
    layers: int = 2
    """Hops that a vector can see."""
    aggregation: Literal["max", "mean", "attention"] = "max"
    """How a node takes in the messages of one relation; see `models.hgnn`."""

    def __post_init__(self) -> None:
        if not self.item_types:
            raise ValueError("item_types: expected at least one item type, got none")
        _check_distinct("item_types", self.item_types)
        _check_distinct("content_relations", self.content_relations)
        for name in ("text_dimensions", "hidden_dimensions", "dimensions", "layers"):
            _check_positive(name, getattr(self, name))

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the layers' inputs and of the output: `layers` + 1 numbers."""
        return (
            self.text_dimensions,
            *(self.hidden_dimensions,) * (self.layers - 1),
            self.dimensions,
        )

    @property
    def vector_dimensions(self) -> int:
        """Width of the item vector z."""
        return self.dimensions + self.text_dimensions

    @property
    def num_slots(self) -> int:
        """Neighbour lists of a node: one per item type, one per content relation."""
        return len(self.item_types) + len(self.content_relations)


@dataclass(frozen=True, kw_only=True)
class TowerConfig:
    """Shape of the user tower and the item tower; see `models.towers`."""

    item_types: tuple[str, ...]
    """Item types in the order of their indices."""
    countries: int
    """Rows of the country table, the unknown one (row 0) included."""
    ages: int
    """Rows of the age table, the unknown one included."""
    genders: int
    """Rows of the gender table, the unknown one included."""
    languages: int
    """Rows of the language table, the unknown one included."""
    genres: int
    """Width of the genre vector; 0 when the data has no genres."""
    text_dimensions: int
    """Width of the text vectors and what stands beside them."""
    known_dimensions: int
    """Width of the vector that tells what is known of an item: the HGNN's, or in the plain
    two-tower (2T) layer 0, centred."""
    category_dimensions: int = 16
    """Width of each learned table of categories."""
    hidden_dimensions: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers of both towers."""
    dimensions: int = 128
    """Width of the space that users and items share."""
    user_tower: Literal["sequence", "pooled"] = "sequence"
    """`sequence` reads the order of a history (`models.sequence_tower`), `pooled` means of it, as
    the papers do (`models.towers`)."""
    blocks: int = 2
    """Blocks of the sequence tower."""
    heads: int = 2
    """Heads of each block."""
    dropout: float = 0.2
    """Share of the sequence tower's values that is dropped in training."""
    familiar_items: int = 0
    """Items with a learned residual, all of the catalogue; 0 for none. It tells what people's
    choices say of an item beyond its text and its neighbours."""
    shown_new: float = 0.1
    """Share of items that a step shows as new: without residual, and known as if nobody had chosen
    them, so that such an item is an ordinary case."""
    hidden: float = 0.1
    """Share of languages, countries, ages and genders that a step shows as unknown, and of items
    and people of whom it shows all of these so: what is unknown is an ordinary case."""
    decays: tuple[float, ...] = (0.5, 0.87, 1.0)
    """One pooled history per entry: an item's weight is multiplied by this for each newer item.
    1 is the plain mean of the paper; small numbers listen to the newest items alone."""
    pool_by_type: bool = True
    """Pooled tower: one pool per item type (2T-HGNN) instead of one over all types (GFM)."""
    history_length: int = 50
    """Newest items of a history that the user tower is given, in training and in serving."""

    def __post_init__(self) -> None:
        if not self.item_types:
            raise ValueError("item_types: expected at least one item type, got none")
        for name in ("countries", "ages", "genders", "languages"):
            _check_positive(name, getattr(self, name))
        for name in (
            "text_dimensions",
            "known_dimensions",
            "category_dimensions",
            "dimensions",
            "history_length",
            "blocks",
            "heads",
        ):
            _check_positive(name, getattr(self, name))
        if min(self.genres, self.familiar_items) < 0:
            raise ValueError("genres and familiar_items: expected 0 or more")
        if self.user_tower == "sequence" and self.dimensions % self.heads:
            raise ValueError(
                f"heads: expected a divisor of dimensions, {self.dimensions}, got {self.heads}"
            )
        for name in ("dropout", "shown_new", "hidden"):
            _check_share(name, getattr(self, name))
        if not self.decays or not all(0 < decay <= 1 for decay in self.decays):
            raise ValueError(f"decays: expected numbers in (0, 1], got {self.decays}")

    @property
    def history_dimensions(self) -> int:
        """Width of what a history is made of.

        The towers' item vectors for the sequence tower, what is known of items for the pooled one.
        """
        if self.user_tower == "sequence":
            return self.dimensions
        return self.known_dimensions


def _check_positive(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name}: expected 1 or more, got {value}")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{name}: expected a share in [0, 1), got {value}")


def _check_distinct(name: str, values: tuple[str, ...]) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name}: expected distinct names, got {values}")
