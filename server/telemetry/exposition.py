"""What Prometheus reads: the metrics of this process, or of several added up."""

import logging
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile, rmtree
from tempfile import mkdtemp
from typing import Any, Protocol

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector, CollectorRegistry

from server.telemetry.metrics import FOLDER, GENERATION_INFO, Metrics, count_here

log = logging.getLogger(__name__)

_collector: Any = MultiProcessCollector  # has no types
_mark_dead: Any = mark_process_dead  # nor have these
_Values: Any = MmapedDict

LASTING = ("counter", "histogram")
"""Kinds of metrics that outlive the process that counted."""


@dataclass(frozen=True)
class Page:
    """An answer to a scrape."""

    content: bytes
    content_type: str


class Exposition(Protocol):
    """Anything that can be scraped."""

    def page(self, accept: str) -> Page:
        """Write the metrics in the best of the formats that are accepted."""
        ...


class ProcessExposition:
    """The metrics of this process."""

    def __init__(self, metrics: Metrics) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Present(metrics.registry))

    def page(self, accept: str) -> Page:
        """Write them."""
        return _page(self._registry, accept)


class FolderExposition:
    """The metrics of all processes that share a folder, added up.

    Once a process is told to be dead, what it counted is added to one file for all the dead, so
    that files do not pile up, and what it measured of itself goes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._registry = CollectorRegistry()
        self._registry.register(_Present(_collector(None, str(folder))))

    def page(self, accept: str) -> Page:
        """Write them."""
        with self._lock:
            return _page(self._registry, accept)

    def dead(self, pid: int) -> None:
        """Take over what a process that has ended counted, and forget what it measured."""
        with self._lock:  # a page has it from the one file or from the other
            _mark_dead(pid, str(self._folder))
            for kind in LASTING:
                counted = self._folder / f"{kind}_{pid}.db"
                if not counted.exists():
                    continue
                try:
                    _add(counted, self._folder / f"{kind}_dead.db")
                except Exception:  # a file that is broken would break every page
                    log.exception("what process %d counted is lost", pid)
                counted.unlink()


def _add(counted: Path, total: Path) -> None:
    """Add the values of a file to another, whole or not at all."""
    fresh = total.with_suffix(".new")  # which no page reads
    fresh.unlink(missing_ok=True)
    if total.exists():
        copyfile(total, fresh)
    with closing(_Values(str(fresh))) as values:
        for key, value, _, _ in _Values.read_all_values_from_file(str(counted)):
            before, _ = values.read_value(key)
            values.write_value(key, before + value, 0.0)
    fresh.replace(total)


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a folder in which processes started from here count together; removed at the end.

    It is this user's alone, since whoever writes there writes the metrics.
    """
    folder = Path(mkdtemp(prefix="nearfield-metrics-"))
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = str(folder)
    try:
        yield folder
    finally:
        count_here()
        os.environ.pop(FOLDER)
        if before is not None:
            os.environ[FOLDER] = before
        rmtree(folder, ignore_errors=True)


def folder_of_run() -> Path | None:
    """Return the folder in which the processes of this run count; None where there is none."""
    folder = os.environ.get(FOLDER)
    return Path(folder) if folder else None


class _Present(Collector):
    """Leaves out generations that nobody answers from any more."""

    def __init__(self, inner: Collector | CollectorRegistry) -> None:
        self._inner = inner

    def collect(self) -> Iterable[Metric]:
        for metric in self._inner.collect():
            if metric.name == GENERATION_INFO:
                metric.samples = [sample for sample in metric.samples if sample.value]
            yield metric


def _page(registry: CollectorRegistry, accept: str) -> Page:
    encode, content_type = choose_encoder(accept)
    return Page(encode(registry), content_type)
