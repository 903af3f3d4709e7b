"""A JSON object read field by field, each with the type it must have."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeGuard

MOST = 2**63 - 1


class FieldsError(Exception):
    """A field is missing or of another type; the message gives its path."""


@dataclass(frozen=True)
class Fields:
    """The fields of one JSON object."""

    content: dict[str, Any]
    path: str = ""

    @classmethod
    def parse(cls, data: bytes) -> "Fields":
        """Read a JSON object.

        Raises:
            FieldsError: not JSON, or not an object.
        """
        try:
            content = json.loads(data.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError) as error:
            raise FieldsError(f"not readable as JSON: {error}") from error
        if not isinstance(content, dict):
            raise FieldsError(f"expected a JSON object, got {type(content).__name__}")
        return cls(content)

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def integer(self, name: str) -> int:
        """Return an integer field; all of them count something."""
        value = self._get(name)
        if not _is_count(value):
            raise self._wrong(name, f"an integer from 0 to {MOST}", value)
        return value

    def string(self, name: str) -> str:
        """Return a string field."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a string", value)
        return value

    def boolean(self, name: str) -> bool:
        """Return a boolean field."""
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false", value)
        return value

    def strings(self, name: str) -> tuple[str, ...]:
        """Return a list of strings."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, "a list of strings", values)
        return tuple(values)

    def integers(self, name: str) -> tuple[int, ...]:
        """Return a list of integers."""
        values = self._list(name)
        if not all(map(_is_count, values)):
            raise self._wrong(name, f"a list of integers from 0 to {MOST}", values)
        return tuple(values)

    def records(self, name: str) -> tuple[dict[str, str | int | float | None], ...]:
        """Return a list of flat objects."""
        values = self._list(name)
        for value in values:
            if not isinstance(value, dict) or any(
                isinstance(each, bool | list | dict) for each in value.values()
            ):
                raise self._wrong(name, "a list of flat objects", value)
        return tuple(values)

    def is_null(self, name: str) -> bool:
        """Tell whether a field is null."""
        return self._get(name) is None

    def inner(self, name: str) -> "Fields":
        """Return a field that is an object itself."""
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object", value)
        return Fields(value, f"{self.path}{name}.")

    def all_integers(self) -> dict[str, int]:
        """Return every field, all of them integers."""
        return {name: self.integer(name) for name in self}

    def all_numbers(self) -> dict[str, float]:
        """Return every field, all of them numbers."""
        for name, value in self.content.items():
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise self._wrong(name, "a number", value)
        return dict(self.content)

    def _list(self, name: str) -> list[Any]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list", value)
        return value

    def _get(self, name: str) -> object:
        if name not in self.content:
            raise FieldsError(f"has no field {self.path}{name}")
        return self.content[name]

    def _wrong(self, name: str, expected: str, value: object) -> FieldsError:
        return FieldsError(f"{self.path}{name}: expected {expected}, got {str(value)[:80]!r}")


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST
