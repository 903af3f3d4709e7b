"""What the settings of the trainers must be, said once for all of them."""

from collections.abc import Iterable


def check_least(settings: object, names: Iterable[str], least: float) -> None:
    """Refuse fields below `least`; a tuple is held to it number by number.

    Raises:
        ValueError: the message names the field.
    """
    for name in names:
        value = getattr(settings, name)
        numbers = value if isinstance(value, tuple) else (value,)
        if not all(least <= number < float("inf") for number in numbers):
            raise ValueError(f"{name}: expected at least {least}, got {value}")


def check_above_zero(settings: object, names: Iterable[str]) -> None:
    """Refuse fields that are not above 0.

    Raises:
        ValueError: the message names the field.
    """
    for name in names:
        value = getattr(settings, name)
        if not 0 < value < float("inf"):
            raise ValueError(f"{name}: expected a number above 0, got {value}")


def check_share(settings: object, names: Iterable[str]) -> None:
    """Refuse fields outside [0, 1): a share of something of which a part must be left.

    Raises:
        ValueError: the message names the field.
    """
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value < 1:
            raise ValueError(f"{name}: expected a share in [0, 1), got {value}")
