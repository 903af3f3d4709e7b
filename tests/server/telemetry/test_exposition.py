"""Metrics of several processes: real ones, which write, die and are added up."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.parser import text_string_to_metric_families

from server.telemetry.exposition import (
    Exposition,
    FolderExposition,
    ProcessExposition,
    shared_folder,
)
from server.telemetry.metrics import FOLDER, Metrics

ROOT = Path(__file__).resolve().parents[3]
WORKER = """
import sys
from pathlib import Path
import grpc
from server.telemetry.call_metrics import CallMetrics
from server.telemetry.metrics import Metrics
from tests.server.telemetry.support import Clock, a_call, go_through

worker, calls = map(int, sys.argv[1:3])
metrics = Metrics(folder=Path(sys.argv[3]), worker=worker)
watcher = CallMetrics(metrics, monotonic=Clock(1000.02))
for _ in range(calls):
    go_through(watcher, a_call())
watcher.began(a_call(), ())
metrics.process(resident_bytes=worker * 100, loop_delay_s=0.0)
metrics.breaker("vllm:m", "open" if worker == 2 else "closed")
metrics.generation("old", space_id="s", file_format=3, as_of_s=5.0, now_s=6.0)
metrics.no_generation("old", space_id="s", file_format=3)
metrics.generation("new", space_id="s", file_format=3, as_of_s=7.0, now_s=8.0)
metrics.swap("done")
print("counted", flush=True)
sys.stdin.read()
"""
METHOD = "nearfield.v1.RecommendationService/Recommend"


def scrape(exposition: Exposition, accept: str = "") -> dict[tuple[str, frozenset[str]], float]:
    """Read a page as Prometheus does: values by name and the values of labels."""
    return scrape_text(exposition.page(accept).content.decode())


def scrape_text(page: str) -> dict[tuple[str, frozenset[str]], float]:
    """Read the text of a page; see `scrape`."""
    families = text_string_to_metric_families(page)
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@contextmanager
def worker(number: int, calls: int, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that has counted, until the block ends."""
    command = [sys.executable, "-W", "error", "-c", WORKER, str(number), str(calls), str(folder)]
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "counted\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder() -> Iterator[Path]:
    with shared_folder() as made:
        yield made


def test_workers_are_added_up_and_the_dead_leave_what_they_counted(folder: Path) -> None:
    exposition = FolderExposition(folder)
    under_way = "nearfield_calls_under_way", frozenset({METHOD})
    started = "grpc_server_call_started_total", frozenset({METHOD})
    state = "nearfield_featurizer_breaker_state", frozenset({"vllm:m"})
    with worker(1, 2, folder), worker(2, 3, folder) as second:
        both = scrape(exposition)
        assert both[started] == 7
        assert both[under_way] == 2
        assert both["grpc_server_call_duration_seconds_count", frozenset({METHOD, "OK"})] == 5
        assert both["nearfield_worker_resident_memory_bytes", frozenset({"1"})] == 100
        assert both["nearfield_worker_resident_memory_bytes", frozenset({"2"})] == 200
        assert both[state] == 2
        assert both["nearfield_generation_info", frozenset({"new", "s", "3"})] == 2
        assert both["nearfield_generation_swaps_total", frozenset({"done"})] == 2
        second.kill()
        second.wait(10)
        exposition.dead(second.pid)
        one = scrape(exposition)
        assert one[started] == 7
        assert one[under_way] == 1
        assert one[state] == 0
        assert ("nearfield_worker_resident_memory_bytes", frozenset({"2"})) not in one
        with worker(2, 1, folder):
            assert scrape(exposition)[started] == 9


def test_over_many_lives_files_do_not_pile_up_and_counts_do_not_go_back(folder: Path) -> None:
    exposition = FolderExposition(folder)
    for life in range(1, 6):
        pid = 10_000_000 + life
        count_as(folder, pid)
        before = scrape(exposition)
        exposition.dead(pid)
        exposition.dead(pid)  # twice is once
        after = scrape(exposition)
        assert before.pop(("memory", frozenset())) == 100
        assert after == before
        assert after["swaps_total", frozenset({"done"})] == life
        assert after["jobs_bucket", frozenset({"2.0"})] == 2 * life
        assert after["jobs_count", frozenset()] == 3 * life
    assert {each.name for each in folder.iterdir()} == {"counter_dead.db", "histogram_dead.db"}


def count_as(folder: Path, pid: int) -> None:
    """Count as a process of that number would."""
    written = {
        f"counter_{pid}.db": [(mmap_key("swaps", "swaps_total", ["o"], ["done"], "told"), 1.0)],
        f"gauge_livesum_{pid}.db": [(mmap_key("memory", "memory", [], [], "told"), 100.0)],
        f"histogram_{pid}.db": [
            (mmap_key("jobs", "jobs_bucket", ["le"], ["2.0"], "told"), 2.0),
            (mmap_key("jobs", "jobs_bucket", ["le"], ["+Inf"], "told"), 1.0),
            (mmap_key("jobs", "jobs_sum", [], [], "told"), 7.0),
        ],
    }
    for name, series in written.items():
        values: Any = MmapedDict(str(folder / name))  # type: ignore[no-untyped-call]
        for key, value in series:
            values.write_value(key, value, 0.0)
        values.close()


def test_broken_file_of_a_dead_process_breaks_no_page(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    exposition = FolderExposition(folder)
    (folder / "counter_10000000.db").write_bytes(b"x")
    exposition.dead(10_000_000)
    assert "is lost" in caplog.text
    assert exposition.page("").content == b""


def test_generation_that_nobody_answers_from_is_left_out(folder: Path) -> None:
    alone = Metrics()
    alone.generation("old", space_id="s", file_format=3, as_of_s=None, now_s=1.0)
    alone.no_generation("old", space_id="s", file_format=3)
    alone.generation("new", space_id="s", file_format=3, as_of_s=None, now_s=2.0)
    with worker(1, 1, folder):
        for exposition in (ProcessExposition(alone), FolderExposition(folder)):
            told = [labels for name, labels in scrape(exposition) if name.endswith("_info")]
            assert told == [frozenset({"new", "s", "3"})]


def test_folder_is_its_owners_alone_and_goes_with_the_run() -> None:
    before = os.environ.get(FOLDER)
    with shared_folder() as made:
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert os.environ[FOLDER] == str(made)
        (made / "counter_1.db").write_bytes(b"")
    assert not made.exists()
    assert os.environ.get(FOLDER) == before


def test_one_process_needs_no_folder() -> None:
    metrics = Metrics()
    metrics.swap("refused")
    page = ProcessExposition(metrics).page("")
    assert page.content_type.startswith("text/plain")
    scraped = scrape(ProcessExposition(metrics))
    assert scraped["nearfield_generation_swaps_total", frozenset({"refused"})] == 1
    assert not [name for name, _ in scraped if name.endswith("_created")]


def test_openmetrics_is_spoken_where_it_is_asked_for() -> None:
    page = ProcessExposition(Metrics()).page("application/openmetrics-text; version=1.0.0")
    assert page.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert page.content.endswith(b"# EOF\n")
