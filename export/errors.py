"""What can go wrong between a run folder and a published generation.

ExportError
├── RunError       the run folder lacks something, or its parts do not belong together
├── MetricsError   the file of metrics cannot be read, or tells nothing of the served model
└── ParityError    onnxruntime does not answer what torch answers
"""

from pathlib import Path


class ExportError(Exception):
    """Root of everything that exporting raises on purpose."""


class RunError(ExportError):
    """A run folder cannot be published; `path` is the file or folder that is to blame."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class MetricsError(ExportError):
    """A file of metrics cannot be published with a run; `path` is the file."""

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        super().__init__(f"{path}: {problem}")


class ParityError(ExportError):
    """An exported network differs from the one it was made of by more than rounding."""
