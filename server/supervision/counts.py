"""What the supervisor adds to the metrics of its workers."""

import logging
from pathlib import Path

from server.telemetry.exposition import Exposition, FolderExposition, ProcessExposition
from server.telemetry.metrics import Metrics

log = logging.getLogger(__name__)


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
        """Count a worker that ended unasked, keep what it counted, forget what it measured."""
        self.metrics.worker_restarted()
        if self._workers is None:
            return
        try:
            self._workers.dead(pid)
        except OSError:  # no reason to start no worker in its place
            log.exception("the metrics of process %d are left as they are", pid)
