"""Everything that retrieval refuses, in one tree.

RetrievalError
├── CatalogueError        the vectors or types an index is built over are unusable
├── QueryError            one request is malformed; `field` says where
└── IndexFileError        a saved index cannot be used; `path` says which file
    ├── IndexMissingError
    ├── IndexDamagedError
    ├── IndexTooNewError
    └── IndexMismatchError
"""

from pathlib import Path


class RetrievalError(Exception):
    """Anything that retrieval refuses."""


class CatalogueError(RetrievalError):
    """The catalogue's vectors or item types cannot be searched."""


class QueryError(RetrievalError):
    """A request is malformed; nothing was searched."""

    def __init__(self, field: str, problem: str, *, element: int | None = None) -> None:
        self.field = field
        self.problem = problem
        self.element = element
        where = field if element is None else f"queries[{element}].{field}"
        super().__init__(f"{where}: {problem}")


class IndexFileError(RetrievalError):
    """A saved index cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class IndexMissingError(IndexFileError):
    """A file of the saved index is not there."""


class IndexDamagedError(IndexFileError):
    """A file of the saved index was cut short or altered after it was written."""


class IndexTooNewError(IndexFileError):
    """The saved index has a format that this version does not know."""


class IndexMismatchError(IndexFileError):
    """The saved index was built over other vectors than those it is loaded for."""
