"""Who calls: the caller that credentials stand for, its roles and its limits."""

from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt


class Role(StrEnum):
    """What a caller may do. No role holds another: who administers cannot ask for vectors."""

    INFERENCE = "inference"
    """Ask for vectors, recommendations, similar items and what the server is."""
    CATALOGUE = "catalogue"
    """Change which items there are."""
    ADMIN = "admin"
    """Change what the server serves."""


class CallerLimits(BaseModel):
    """How much of the server one caller may have. Larger leaves less to the others."""

    model_config = ConfigDict(
        frozen=True, use_attribute_docstrings=True, extra="forbid", hide_input_in_errors=True
    )

    calls_per_s: PositiveFloat | None = None
    """Calls per second over a long time; a batch counts as many as it has elements. None for no
    bound."""
    burst_calls: PositiveInt | None = None
    """Calls that may come at once after a quiet time, where calls_per_s is set. None for as many as
    a second brings, at least one."""
    max_concurrent_calls: PositiveInt | None = None
    """Most calls under way at once. None for no bound but the server's."""

    def over(self, defaults: "CallerLimits") -> "CallerLimits":
        """Fill what is None from the server's own limits."""
        return self.model_copy(
            update={
                name: value
                for name, value in defaults
                if value is not None and getattr(self, name) is None
            }
        )


UNLIMITED = CallerLimits()
"""Limits of somebody who has none of their own; there is one such object, to be told by `is`."""


@dataclass(frozen=True)
class Caller:
    """Somebody whose credentials were believed."""

    name: str
    """Who it is, one name over all credentials: limits and logs go by it. A token's has the prefix
    `jwt:`, which no name in the file of callers can have."""
    roles: frozenset[Role]
    """What it may do."""
    limits: CallerLimits = UNLIMITED
    """How much of it; the server's own where a field is None."""


ANYBODY = Caller("anybody", frozenset(Role))
"""Who calls where authentication is off."""
