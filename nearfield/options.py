"""How a client calls: how long it waits, what it tries again. Frozen values."""

from dataclasses import dataclass, field

from nearfield.checks import above_zero, at_least
from nearfield.connection import Connection
from nearfield.errors import ArgumentError

MOST_TOKENS = 1000
LEAST_BACKOFF_S = 0.01


@dataclass(frozen=True)
class Timeouts:
    """How long to wait, in seconds, where a call does not say it; all tries included."""

    call_s: float = 10.0
    """A call for one person or item."""
    chunk_s: float = 30.0
    """Each message of a batch; a batch of many chunks may take that long for each. A timeout given
    with the call bounds the whole batch instead."""
    info_s: float = 5.0
    """Asking for the server's limits."""

    def __post_init__(self) -> None:
        above_zero("call_s", self.call_s)
        above_zero("chunk_s", self.chunk_s)
        above_zero("info_s", self.info_s)


@dataclass(frozen=True)
class Retry:
    """What is tried again, and how much of it.

    UNAVAILABLE is tried again, with growing pauses, unless a featurizer is what is away. Among
    several connections the next try goes to another one, and at once where there is one of which
    nothing bad is known. Beside that, a server that refuses a call and says how long to wait
    (RetryInfo) is taken at its word, where the wait is short enough; one that has no time to look
    at calls turns them away with CANCELLED, which counts as a wait of 0.1 s.

    A call that ends with UNAVAILABLE or CANCELLED may have been done. All of that is therefore for
    methods that the contract calls free of side effects or idempotent (`idempotency_level`), as
    all of today's are. Any other is tried again only where it was certainly not done: no
    connection was there to send it over (`StatusError.unsent`), or it was refused with a wait.

    Tries again have a budget over all calls of the client, so that a server in trouble gets about
    as many calls as callers make, and not five times as many: each failure takes a token, each
    success puts back `tokens_per_success`, and below half of `tokens` nothing is tried again. There
    are two such purses, one for UNAVAILABLE and one for waits that a server asks for. Going on to a
    connection that is known to be there costs nothing: it is no second call to the same server.

    Source: gRFC A6 (retries and their throttling).
    """

    attempts: int = 5
    """Tries of one call, the first included, 1 to 5. 1 never tries again."""
    first_backoff_s: float = 0.2
    """Pause before the second try, in seconds, at least 0.01; each pause is varied by a fifth."""
    backoff_factor: float = 2.0
    """How much longer each pause is than the one before, at least 1."""
    longest_backoff_s: float = 2.0
    """Longest pause, in seconds, at least 0.01."""
    told_waits: int = 2
    """How often one call waits as a server asks. 0 never does."""
    longest_told_wait_s: float = 2.0
    """Longest wait that a server may ask for, in seconds; where it asks for more, or for more than
    the call has left, the error is raised at once and tells it (`retry_delay_s`)."""
    tokens: int = 200
    """The budget, 1 to 1000. About half as many calls may fail at the same moment, for example
    when a server dies under them, and all be tried again."""
    tokens_per_success: float = 0.1
    """What a success puts back, 0.001 to 1, in thousandths: of calls that fail now and then, about
    that share is tried again for ever."""
    patience_s: float = 600.0
    """How long a stream goes on waiting for a full server, in seconds, before that is the outcome
    of the elements concerned. It has no budget of tokens: while it waits it sends nothing."""

    def __post_init__(self) -> None:
        if not 1 <= self.attempts <= 5:
            raise ArgumentError(f"attempts: expected 1 to 5, got {self.attempts}")
        if self.told_waits < 0:
            raise ArgumentError(f"told_waits: expected 0 or more, got {self.told_waits}")
        at_least("first_backoff_s", self.first_backoff_s, LEAST_BACKOFF_S)
        at_least("backoff_factor", self.backoff_factor, 1.0)
        at_least("longest_backoff_s", self.longest_backoff_s, LEAST_BACKOFF_S)
        above_zero("longest_told_wait_s", self.longest_told_wait_s)
        if not 1 <= self.tokens <= MOST_TOKENS:
            raise ArgumentError(f"tokens: expected 1 to {MOST_TOKENS}, got {self.tokens}")
        if not 0.001 <= self.tokens_per_success <= 1:
            raise ArgumentError(
                f"tokens_per_success: expected 0.001 to 1, got {self.tokens_per_success}"
            )
        above_zero("patience_s", self.patience_s)


NO_RETRY = Retry(attempts=1, told_waits=0)
"""Every call is tried once."""


@dataclass(frozen=True)
class Options:
    """All of the above."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    retry: Retry = field(default_factory=Retry)
    connection: Connection = field(default_factory=Connection)
