"""Servers to measure, each in processes of its own, and what memory they take."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import psutil

from benchmarks.serving.empty import KINDS

PATIENCE_S = 120.0
POLL_S = 0.05
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


class ServerError(Exception):
    """A server did not come up."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    port: int
    process: psutil.Process
    """The one that was started; its workers are its children."""
    start_s: float
    """From the start of the process to SERVING."""


@dataclass(frozen=True)
class Memory:
    """Memory of one process, in bytes."""

    private: int
    """Pages of its own: what another process of the kind costs."""
    shared: int
    """Pages that others could share: mapped files."""


@contextmanager
def serving(generation: Path, log: Path, *flags: str, workers: int = 1) -> Iterator[Running]:
    """Serve a generation for as long as the block lasts.

    Raises:
        ServerError: it ended, or did not answer in time.
    """
    settings = ["--generation", str(generation), "--port", "0", "--workers", str(workers)]
    settings += ["--security.authentication", "off", "--drain-wait-s", "0", *flags]
    began = time.perf_counter()
    with log.open("w") as output, _ended(["-m", "server", *settings], output) as process:
        port = _port(process, log)
        yield Running(port, psutil.Process(process.pid), time.perf_counter() - began)


def empty(
    reply_bytes: int, *, workers: int = 1, kind: str = KINDS[0]
) -> AbstractContextManager[Running]:
    """Run servers whose methods do nothing, as many processes as workers."""
    return _listening("benchmarks.serving.empty", str(reply_bytes), kind, workers=workers)


def in_one_process(
    generation: Path, kind: str, batch_wait_us: int
) -> AbstractContextManager[Running]:
    """Serve from one bare process; see `benchmarks.serving.bare`."""
    return _listening("benchmarks.serving.bare", str(generation), kind, str(batch_wait_us))


@contextmanager
def _listening(module: str, *arguments: str, workers: int = 1) -> Iterator[Running]:
    """Run processes that are given a port to share."""
    port = free_port()
    began = time.perf_counter()
    command = [sys.executable, "-m", module, str(port), *arguments]
    processes = [subprocess.Popen(command, env=ENVIRONMENT) for _ in range(workers)]
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            grpc.channel_ready_future(channel).result(PATIENCE_S)
        time.sleep(1)  # the other processes listen as well by then
        yield Running(port, psutil.Process(processes[0].pid), time.perf_counter() - began)
    finally:
        for process in processes:
            process.kill()
            process.wait()


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def memory(process: psutil.Process) -> Memory:
    """Read what a process holds."""
    told = process.memory_full_info()
    return Memory(private=int(told.uss), shared=int(told.rss - told.uss))


@contextmanager
def _ended(command: list[str], output: object) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, *command],
        stderr=output,  # type: ignore[call-overload]  # an open file
        env=ENVIRONMENT,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Wait until the server says where it serves."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and process.poll() is None:
        if found := re.search(r"serving generation \w+ on 127\.0\.0\.1:(\d+)", log.read_text()):
            return int(found[1])
        time.sleep(POLL_S)
    raise ServerError(f"the server does not serve: {log.read_text()[-1000:]}")
