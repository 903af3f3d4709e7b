"""How the towers are made and trained: every hyperparameter of the adaptation."""

from dataclasses import dataclass, field
from typing import Literal

from features.encode import ItemEncoder, UserEncoder
from models.config import TowerConfig
from training.bounds import check_above_zero, check_least, check_share
from training.catalogue import Catalogue
from training.loop import LoopSettings


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings:
    """How the towers are trained; every field is a hyperparameter."""

    loop: LoopSettings = field(
        default_factory=lambda: LoopSettings(epochs=14, patience=4, average=0.99)
    )
    user_tower: Literal["sequence", "pooled"] = "sequence"
    """`pooled` is the papers'; see `TowerConfig.user_tower`."""
    blocks: int = 2
    """Blocks of the sequence tower."""
    heads: int = 2
    """Heads of each block."""
    dropout: float = 0.2
    """Of the sequence tower; larger holds back a tower that learns sequences by heart."""
    residual: bool = True
    """Whether a familiar item has a learned residual beside its content."""
    residual_start: float = 0.4
    """Size of the residuals before training, which then say what goes together by people's
    choices (`training.residual_start`); 0 begins with none."""
    shown_new: float = 0.1
    """Share of items that a step shows as new: without residual, and known as if nobody had chosen
    them. Larger helps new items, smaller familiar ones."""
    hidden: float = 0.1
    """Share of languages, countries, ages and genders that a step shows as unknown, and of items
    and people of whom it shows all of these so. Larger helps where little is known, smaller where
    all is."""
    windows_per_step: int = 128
    """Sequence tower: windows of people's sequences per step."""
    windows_per_person: int = 2
    """Sequence tower: windows per person and epoch, drawn afresh; a cap keeps busy people from
    dominating."""
    exact_up_to: int = 5000
    """Sequence tower: catalogue size up to which the chosen item is compared with all others;
    above it, with `negatives` drawn ones."""
    hidden_dimensions: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers of both towers."""
    dimensions: int = 128
    """Width of the common space."""
    decays: tuple[float, ...] = (0.5, 0.87, 1.0)
    """Pools of the history; see `TowerConfig.decays`."""
    pool_by_type: bool = True
    """One pool per item type (2T-HGNN) instead of one over all types (GFM)."""
    history_length: int = 50
    """Newest items that the user tower sees."""
    batch_size: int = 512
    """Pooled tower: targets per step."""
    negatives: int = 2048
    """Catalogue items drawn per step as negatives, shared by the batch."""
    temperature: float = 0.07
    """Of the softmax; smaller looks harder at the nearest negatives."""
    examples_per_user: int = 20
    """Pooled tower: targets per person and epoch, drawn afresh; a cap keeps busy people from
    dominating."""
    weak_signals: bool = True
    """Whether histories hold weak signals. Without them in training and evaluation, for comparison:
    such towers do not serve."""
    seed: int = 0
    """Of everything drawn: weights, targets, negatives."""

    @property
    def comparison_only(self) -> tuple[str, ...]:
        """Name the settings in use that a server would not follow."""
        return () if self.weak_signals else ("weak_signals",)

    def __post_init__(self) -> None:
        whole = ("hidden_dimensions", "dimensions", "history_length", "batch_size", "negatives")
        check_least(self, (*whole, "examples_per_user", "blocks", "heads"), 1)
        check_least(self, ("windows_per_step", "windows_per_person"), 1)
        check_least(self, ("exact_up_to",), 0)
        check_least(self, ("seed", "residual_start"), 0)
        check_above_zero(self, ("temperature",))
        check_share(self, ("dropout", "shown_new", "hidden"))
        if self.user_tower == "sequence" and self.dimensions % self.heads:
            raise ValueError(
                f"heads: expected a divisor of dimensions, {self.dimensions}, got {self.heads}"
            )
        if not self.decays or not all(0 < decay <= 1 for decay in self.decays):
            raise ValueError(f"decays: expected numbers in (0, 1], got {self.decays}")


def tower_config(
    item_types: tuple[str, ...],
    catalogue: Catalogue,
    items: ItemEncoder,
    people: UserEncoder,
    settings: AdaptationSettings,
) -> TowerConfig:
    """Size the towers for a catalogue and its categories; row 0 of each table is unknown."""
    return TowerConfig(
        item_types=item_types,
        countries=len(people.countries) + 1,
        ages=len(people.age_buckets) + 1,
        genders=len(people.genders) + 1,
        languages=len(items.languages) + 1,
        genres=len(items.genres),
        text_dimensions=catalogue.text.shape[1],
        known_dimensions=catalogue.known.shape[1],
        hidden_dimensions=settings.hidden_dimensions,
        dimensions=settings.dimensions,
        user_tower=settings.user_tower,
        blocks=settings.blocks,
        heads=settings.heads,
        dropout=settings.dropout,
        familiar_items=len(catalogue) if settings.residual else 0,
        shown_new=settings.shown_new,
        hidden=settings.hidden,
        decays=settings.decays,
        pool_by_type=settings.pool_by_type,
        history_length=settings.history_length,
    )
