"""What a trial measures."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Report:
    """What a trial measured; as `nearfield.v1.Trial`."""

    generation: str
    vector_difference: float | None
    """Largest difference of any number of people's vectors from what was recorded at export."""
    agreement: float | None
    """Share of the recorded recommendations that are computed here as well."""
    recall: float
    private_bytes: int
    """Memory that the process had to itself, beyond what it had before."""

    @classmethod
    def read(cls, told: dict[str, Any]) -> Self:
        """Take over what a trial has written."""
        return cls(**told)
