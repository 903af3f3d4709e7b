"""The call that is being answered: its id, when it began, when its caller stops waiting."""

from contextvars import ContextVar
from dataclasses import dataclass

from server.methods import Method
from server.stopwatch import Times

NO_TIMES = Times()


@dataclass(slots=True, eq=False)
class Call:
    """One call; moments are in the event loop's time, in seconds."""

    method: Method
    started: float
    request_id: str
    deadline: float = float("inf")
    generation: str = ""
    """Which generation answers; empty until that is settled."""
    times: Times = NO_TIMES
    """Where the time went, once that is known."""


CURRENT: ContextVar[Call] = ContextVar("call")
"""Set for as long as a handler runs."""
