"""What is wrong with a request, collected, so that a caller hears of everything at once."""

from collections.abc import Sequence

from server.errors import InvalidRequestError, Violation

MAX_CATEGORY_BYTES = 256
"""Longest country, language, genre and the like, in bytes of UTF-8."""


class Findings:
    """The fields of one request that break the contract."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What was noted so far."""
        return tuple(self._violations)

    def add(self, field: str, problem: str) -> None:
        """Note that a field breaks the contract."""
        self._violations.append(Violation(field, problem))

    def extend(self, violations: tuple[Violation, ...]) -> None:
        """Take over what was found elsewhere."""
        self._violations.extend(violations)

    def settle(self) -> None:
        """Raise InvalidRequestError if anything was noted."""
        if self._violations:
            raise InvalidRequestError(self.violations)

    def count(self, field: str, count: int, most: int, what: str, *, least: int = 0) -> bool:
        """Note it where a list has the wrong length; return whether it is right."""
        if least <= count <= most:
            return True
        self.add(field, f"expected {least} to {most} {what}, got {count}")
        return False

    def number(self, field: str, value: float, least: float, most: float) -> bool:
        """Note it where a number is out of bounds or none; return whether it is right."""
        if least <= value <= most:
            return True
        self.add(field, f"expected {least} to {most}, got {value}")
        return False

    def chars(self, field: str, value: str, most: int) -> None:
        """Note it where a text is too long."""
        if len(value) > most:
            self.add(field, f"expected at most {most} characters, got {len(value)}")

    def category(self, field: str, value: str) -> None:
        """Note it where the value of a category is too long."""
        size = len(value.encode())
        if size > MAX_CATEGORY_BYTES:
            self.add(field, f"expected at most {MAX_CATEGORY_BYTES} bytes, got {size}")

    def enum(self, field: str, name: str, value: int, values: Sequence[int]) -> None:
        """Note it where a number is not one of an enum's."""
        if value not in values:
            self.add(field, f"expected a value of {name}, got {value}")
