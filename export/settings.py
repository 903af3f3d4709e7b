"""How a run becomes a generation."""

from dataclasses import dataclass

from export.generation.manifest import Metric
from retrieval.defaults import APPROXIMATE_FROM, LISTED


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """Choices of whoever publishes; none of them changes a vector."""

    approximate_from: int = APPROXIMATE_FROM
    """Items from which the approximate index is built. Larger: exact answers, slower."""

    listed: int = LISTED
    """Items kept ready for each user, 8 bytes each. Larger: longer answers are read instead of
    computed. 0 keeps none."""

    metrics: tuple[Metric, ...] = ()
    """What the served model reached on held-out interactions; none where nobody measured."""

    made_current: bool = True
    """Whether servers should take the new generation at once."""

    test_featurizer_allowed: bool = False
    """Whether text vectors may come from a fake. Such a generation does not serve."""
