"""What the supervisor adds to the metrics of its workers."""

from pathlib import Path

from server.telemetry.exposition import Exposition, FolderExposition, ProcessExposition
from server.telemetry.metrics import Metrics


class Counts:
    """Counts what happens to workers and generations.

    `folder` is where the workers count; None where nobody does.
    """

    def __init__(self, metrics: Metrics, folder: Path | None = None) -> None:
        self.metrics = metrics
        self._workers = None if folder is None else FolderExposition(folder)

    @property
    def exposition(self) -> Exposition:
        """The metrics of all processes together."""
        return self._workers or ProcessExposition(self.metrics)

    def ended(self, pid: int) -> None:
        """Count a worker that ended unasked, and forget what it measured of itself."""
        self.metrics.worker_restarted()
        if self._workers is not None:
            self._workers.dead(pid)
