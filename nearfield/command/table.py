"""Tables for people: columns as wide as what is in them."""

import unicodedata
from collections.abc import Callable, Sequence

BLOCK = 100
"""Rows that decide how wide the columns are. Later ones do not wait for the end of a stream."""
GAP = "  "
NOTHING = "-"
"""What stands in a cell without a value, so that columns can be counted."""


class Table:
    """Writes rows below a heading; `end` writes those that are left."""

    def __init__(self, heading: Sequence[str], write: Callable[[str], object]) -> None:
        self._write = write
        self._waiting: list[list[str]] = [[name.upper() for name in heading]]
        self._widths = [0] * len(heading)

    def add(self, cells: Sequence[object]) -> None:
        """Add a row."""
        self._waiting.append([_cell(each) for each in cells])
        if len(self._waiting) > BLOCK:
            self.end()

    def end(self) -> None:
        """Write what was not written yet."""
        for row in self._waiting:
            self._widths = [max(w, _width(c)) for w, c in zip(self._widths, row, strict=True)]
        for row in self._waiting:
            self._write(self._line(row))
        self._waiting.clear()

    def _line(self, row: Sequence[str]) -> str:
        padded = [
            cell + " " * (width - _width(cell))
            for cell, width in zip(row, self._widths, strict=True)
        ]
        return GAP.join(padded).rstrip() + "\n"


def _cell(value: object) -> str:
    """Write a value on one line, without what could steer a terminal."""
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return "".join(each if each.isprintable() else " " for each in text).strip() or NOTHING


def _width(text: str) -> int:
    """Count columns: some characters take two, some none."""
    return sum(
        0 if unicodedata.combining(each) else 1 + (unicodedata.east_asian_width(each) in "WF")
        for each in text
    )
