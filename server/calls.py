"""The call that is being answered: its id, when it began, when its caller stops waiting."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """One call; times are in the event loop's time, in seconds."""

    request_id: str
    started: float
    deadline: float = float("inf")


CURRENT: ContextVar[Call] = ContextVar("call")
"""Set by the interceptors for as long as a handler runs."""
