"""Errors of the graph room, one tree.

GraphError
├── SplitError       nothing can be held out, or nothing would be left to learn from
├── EmptyGraphError  there is no edge to learn from
├── GraphFileError   a stored graph is missing, damaged or of another format
└── StageError       a stage did not leave the outputs it promised
"""


class GraphError(Exception):
    """Root of everything that goes wrong between the data set and the samplers."""


class SplitError(GraphError):
    """A hold-out rule finds no target, or would leave nothing to learn from."""


class EmptyGraphError(GraphError):
    """A sampler was asked for the edges of a graph that has none."""


class GraphFileError(GraphError):
    """A stored graph is missing, damaged or written by another format."""


class StageError(GraphError):
    """The work of a stage did not leave the outputs it promised."""
