"""What a number among the options may be."""

from nearfield.errors import ArgumentError


def above_zero(name: str, value: float) -> None:
    """Refuse what is no finite number above 0.

    Raises:
        ArgumentError: as said.
    """
    if not 0 < value < float("inf"):
        raise ArgumentError(f"{name}: expected a finite number above 0, got {value}")


def at_least(name: str, value: float, least: float) -> None:
    """Refuse what is no finite number, or too small.

    Raises:
        ArgumentError: as said.
    """
    if not least <= value < float("inf"):
        raise ArgumentError(f"{name}: expected a finite number from {least:g}, got {value}")


def at_least_one(name: str, value: int) -> None:
    """Refuse what is below 1.

    Raises:
        ArgumentError: as said.
    """
    if value < 1:
        raise ArgumentError(f"{name}: expected 1 or more, got {value}")
