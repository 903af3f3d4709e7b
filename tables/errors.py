"""Errors of the room of tables, one tree.

TableError
├── DataError         the data folder cannot be used, or strict reading refuses its rows
└── DatasetFileError  a stored data set is missing, damaged or of another format
"""

from tables.problems import Problems


class TableError(Exception):
    """Root of everything that goes wrong between the data folder and the data set."""


class DataError(TableError):
    """A data folder breaks the contract; `problems` holds the report so far."""

    def __init__(self, message: str, problems: Problems | None = None) -> None:
        """Keep the report beside the message, so that a caller may show or store it."""
        super().__init__(message)
        self.problems = problems if problems is not None else Problems()


class DatasetFileError(TableError):
    """A stored data set is missing, damaged or written by another format."""
