"""What was wrong with a data folder: each kind once, with its count and examples."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

EXAMPLES_SHOWN = 5
REASONS_SHOWN = 3
REASON_EXAMPLES = 2
"""Kinds in a summary, and rows that it shows of each."""


def rows_of(count: int) -> str:
    """Write how many rows, for a report."""
    return f"{count:,} {'row' if count == 1 else 'rows'}"


@dataclass(frozen=True)
class Problem:
    """One kind of bad row in one file."""

    kind: str
    """Short name, the value of the `problem` column in the file of rejected rows."""
    file: str
    """Name of the file the rows stand in, without its folder."""
    field: str
    """Column at fault."""
    explanation: str
    """What was expected, as a phrase."""
    count: int
    """Rows of this kind."""
    examples: tuple[str, ...]
    """Up to five rows: where they stand and what they hold."""

    def render(self, examples: int = EXAMPLES_SHOWN) -> str:
        """Write the kind as one line, some of its examples below it."""
        shown = self.examples[:examples]
        head = f"{self.file}: {rows_of(self.count)} with {self.kind} ({self.field})"
        return "\n".join([f"{head}: {self.explanation}", *(f"    {one}" for one in shown)])


@dataclass(frozen=True)
class Problems:
    """The report on one data folder."""

    kinds: tuple[Problem, ...] = ()
    """Kinds of bad rows found, in the order of the files and of the checks."""
    notices: tuple[str, ...] = ()
    """What is legal and yet worth knowing: ignored columns, rows without a time …"""
    rows_read: dict[str, int] = field(default_factory=dict)
    """Rows per file before anything was set aside."""

    @property
    def total(self) -> int:
        """Bad rows of all kinds together; a row counts once, under its first problem."""
        return sum(problem.count for problem in self.kinds)

    def count(self, kind: str) -> int:
        """Bad rows of one kind over all files; 0 for a kind that was not found."""
        return sum(problem.count for problem in self.kinds if problem.kind == kind)

    def merged(self, other: "Problems") -> "Problems":
        """Join two reports, this one first."""
        return Problems(
            self.kinds + other.kinds,
            self.notices + other.notices,
            {**self.rows_read, **other.rows_read},
        )

    def render(self) -> str:
        """Write the whole report for a person to read; empty when nothing was found."""
        notices = [f"note: {notice}" for notice in self.notices]
        return "\n".join([*(problem.render() for problem in self.kinds), *notices])

    def summary(self) -> str:
        """Say in a few lines what was read, what was set aside and the likeliest reasons."""
        read = ", ".join(f"{file} {rows:,}" for file, rows in self.rows_read.items())
        lines = [f"rows read: {read}"]
        lines.append(f"rows set aside: {self.total:,} of {sum(self.rows_read.values()):,}")
        kinds = sorted(self.kinds, key=lambda problem: -problem.count)  # equal ones as they came
        for problem in kinds[:REASONS_SHOWN]:
            lines += [f"  {line}" for line in problem.render(REASON_EXAMPLES).splitlines()]
        if kinds[REASONS_SHOWN:]:
            rest = sum(problem.count for problem in kinds[REASONS_SHOWN:])
            lines.append(f"  and {rows_of(rest)} for other reasons")
        return "\n".join([*lines, *(f"note: {notice}" for notice in self.notices)])

    def to_json(self) -> dict[str, object]:
        """Turn the report into what `problems.json` holds."""
        return {
            "rows_read": self.rows_read,
            "rows_set_aside": self.total,
            "kinds": [asdict(problem) for problem in self.kinds],
            "notices": list(self.notices),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        kinds = (
            Problem(**{**kind, "examples": tuple(kind["examples"])}) for kind in content["kinds"]
        )
        return cls(tuple(kinds), tuple(content["notices"]), dict(content["rows_read"]))
