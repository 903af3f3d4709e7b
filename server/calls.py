"""The call that is being answered: its id, when it began, when its caller stops waiting."""

from contextvars import ContextVar
from dataclasses import dataclass

from server.methods import Method
from server.security.callers import Role
from server.stopwatch import NO_TIMES, Times


@dataclass(slots=True, eq=False)
class Call:
    """One call; moments are in the event loop's time, in seconds."""

    method: Method
    needed: Role | None
    """What a caller needs to be let in."""
    started: float
    request_id: str
    caller: str = ""
    """Name of who calls; empty until that is known."""
    deadline: float = float("inf")
    patient: bool = False
    """Whether it waits for its turn as long as its deadline lets it: a batch does."""
    generation: str = ""
    """Which generation answers; empty until that is settled."""
    times: Times = NO_TIMES
    """Where the time went, once that is known."""
    request_bytes: int = 0
    """Length of its message."""
    response_bytes: int = 0
    reason: str = ""
    """Why it failed, as in ErrorInfo; empty where it did not."""
    element_reasons: tuple[str, ...] = ()
    """Why elements of a batch failed, one reason for each that did."""
    read: int = 0
    """Answers in it that were kept ready, and looked up."""
    computed: int = 0
    """Answers in it that were computed."""
    trace_id: str = ""
    """Where it is traced, the trace; empty where it is not."""


CURRENT: ContextVar[Call] = ContextVar("call")
"""Set for as long as a handler runs."""
