"""What can be set about how the supervisor watches over workers and changes."""

from pydantic import BaseModel, ConfigDict, PositiveFloat


class SupervisionSettings(BaseModel):
    """How long workers and trials may take."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")

    ping_s: PositiveFloat = 1.0
    """Seconds between two pings of a worker, which its event loop answers."""
    hung_s: PositiveFloat = 15.0
    """Seconds without an answer after which a worker counts as hung: it is killed and started anew.
    Less replaces it sooner, and may kill one that is only short of cores or memory."""
    open_timeout_s: PositiveFloat = 300.0
    """Seconds that a worker may take to open a generation, at the start and for a change. One that
    takes longer is killed."""
    trial_timeout_s: PositiveFloat = 900.0
    """Seconds that the trial of a generation may take. One that takes longer is killed, and the
    generation is refused. A trial runs where nobody who answers calls wants to, so it takes longer
    on a busy machine."""
