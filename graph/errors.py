"""Errors of the graph room, one tree.

GraphError
├── DataError        the data folder cannot be used, or strict reading refuses its rows
├── SplitError       nothing can be held out, or nothing would be left to learn from
├── EmptyGraphError  there is no edge to learn from
├── GraphFileError   a stored graph or data set is missing, damaged or of another format
└── StageError       a stage did not leave the outputs it promised
"""

from graph.problems import Problems


class GraphError(Exception):
    """Root of everything that goes wrong between the data folder and the samplers."""


class DataError(GraphError):
    """A data folder breaks the contract; `problems` holds the report so far."""

    def __init__(self, message: str, problems: Problems | None = None) -> None:
        """Keep the report beside the message, so that a caller may show or store it."""
        super().__init__(message)
        self.problems = problems if problems is not None else Problems()


class SplitError(GraphError):
    """A hold-out rule finds no target, or would leave nothing to learn from."""


class EmptyGraphError(GraphError):
    """A sampler was asked for the edges of a graph that has none."""


class GraphFileError(GraphError):
    """A stored graph or data set is missing, damaged or written by another format."""


class StageError(GraphError):
    """The work of a stage did not leave the outputs it promised."""
