"""How interactions become edges."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class GraphSettings:
    """How interactions become edges."""

    min_users: int = 2
    """Distinct people an edge needs; the privacy bound. Larger: fewer and surer edges."""
    cap: int = 30
    """Neighbours kept per item and slot, the heaviest. Larger: more memory, weaker edges."""
    popularity_power: float = 0.5
    """Edge weight is users / ((people_a * people_b) ** power + shrinkage). 0 counts people,
    0.5 is the cosine, 1 favours what few people chose."""
    shrinkage: float = 10.0
    """Added to the denominator; larger distrusts edges that few people stand behind."""
    weighting: Literal["popularity", "plain"] = "popularity"
    """`plain`: an edge weighs 1 whoever stands behind it, and a list longer than the cap keeps a
    draw that leaves nobody out, as in the papers; content relations are as ever."""
    max_user_items: int = 200
    """Items per person that make pairs, the newest. Pairs grow with its square."""
    window_days: float | None = None
    """Only interactions of that many last days make edges; None for all of them."""
    content_relations: tuple[str, ...] = ("creator",)
    """Columns of the items whose equal values join items of any type."""
    without: tuple[str, ...] = ()
    """Relations that are left out, by their names (`book-film`, `creator`); their lists are empty.
    A graph that lacks one is for comparison and does not serve."""
    only: tuple[str, ...] = ()
    """Relations that are kept, by their names; all where this is empty."""
    memory_limit: str = "1GB"
    """Memory of the pair counting, as DuckDB writes it; what does not fit goes to disk."""
    pairs_per_chunk: int = 10_000_000
    """Pairs counted at a time. Larger: a little faster, more memory. Changes no edge."""

    def keeps(self, relation: str) -> bool:
        """Say whether a relation, by its name, takes part."""
        return relation not in self.without and (not self.only or relation in self.only)

    @property
    def comparison_only(self) -> tuple[str, ...]:
        """Name the settings in use that a server would not follow.

        It knows no missing relation, and joins a new item with those of its creator alone.
        """
        unserved = {
            "without": bool(self.without),
            "only": bool(self.only),
            "content_relations": not set(self.content_relations) <= {"creator"},
        }
        return tuple(name for name, used in unserved.items() if used)

    def __post_init__(self) -> None:
        """Refuse values without a meaning.

        Raises:
            ValueError: a number is out of its range.
        """
        bounds = {"min_users": 1, "cap": 1, "popularity_power": 0, "shrinkage": 0}
        for name, least in {**bounds, "max_user_items": 2, "pairs_per_chunk": 1}.items():
            value = getattr(self, name)
            if not value >= least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if self.without and self.only:
            raise ValueError("without and only: expected one of them at most, got both")
        if self.window_days is not None and not self.window_days > 0:
            raise ValueError(f"window_days: expected more than 0, got {self.window_days}")
