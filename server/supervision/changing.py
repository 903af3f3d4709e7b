"""From one generation to another: tried aside, opened beside, swapped in one step."""

import asyncio
import contextlib
import json
import logging
import os
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.errors import GenerationRefusedError
from server.supervision.control import WorkerError, WorkerGoneError
from server.supervision.process import ONE_THREAD, Programs, WorkerProcess
from server.supervision.report import Report

log = logging.getLogger(__name__)

NICENESS = 19
"""Of a trial: it computes for seconds, and those who answer calls meanwhile come first."""


@dataclass(frozen=True)
class Change:
    """A change that has happened."""

    name: str
    report: Report
    total_s: float


class Changer:
    """Takes all workers of a server from one generation to another."""

    def __init__(
        self, workers: Sequence[WorkerProcess], programs: Programs, flags: list[str]
    ) -> None:
        self._workers = workers
        self._trial = [sys.executable, "-m", programs.trial]
        self._flags = flags

    async def change(self, path: Path) -> Change:
        """Let the generation at a path answer in every worker, or nothing changes at all.

        A worker that ends meanwhile is no obstacle: its next life begins with what answers then.

        Raises:
            GenerationRefusedError: it did not pass its trial, or a worker could not open it.
        """
        began = time.monotonic()
        report = await self.try_out(path)
        await self._prepare(path, report.generation)
        await asyncio.gather(*(self._swap(each, report.generation) for each in self._answering()))
        return Change(report.generation, report, time.monotonic() - began)

    async def try_out(self, path: Path) -> Report:
        """Try a generation in a process of its own.

        Raises:
            GenerationRefusedError: it did not pass.
        """
        trial = await asyncio.create_subprocess_exec(
            *self._trial,
            str(path),
            *self._flags,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=PIPE,
            env=ONE_THREAD | os.environ,
        )
        _make_way(trial.pid)
        try:
            output, _ = await trial.communicate()
        except asyncio.CancelledError:
            trial.kill()
            raise
        told = _last_line(output)
        if told is None:
            raise GenerationRefusedError(path.name, f"its trial ended with {trial.returncode}")
        if "error" in told:
            raise GenerationRefusedError(path.name, str(told["error"]))
        return Report.read(told)

    async def _prepare(self, path: Path, name: str) -> None:
        """Open a generation in every worker; where one cannot, in none.

        One after the other: it takes a core for a moment, and calls need the others.
        """
        asked = self._answering()
        for each in asked:
            try:
                await each.ask("prepare", str(path))
            except WorkerGoneError:
                continue
            except Exception as error:
                await asyncio.gather(
                    *(each.ask("drop", name) for each in asked), return_exceptions=True
                )
                raise GenerationRefusedError(name, str(error)) from error

    async def _swap(self, worker: WorkerProcess, name: str) -> None:
        try:
            await worker.ask("swap", name)
        except WorkerError as error:
            # It ended, or began its next life after the others had prepared.
            log.warning("worker %d did not change: %s", worker.number, error)
            worker.kill()
        else:
            worker.generation = name

    def _answering(self) -> list[WorkerProcess]:
        return [each for each in self._workers if each.answers]


def _make_way(pid: int) -> None:
    """Let a process run only where nobody who answers calls wants to."""
    with contextlib.suppress(OSError):  # it has ended, or the system does not let us
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        if hasattr(os, "SCHED_IDLE"):  # Linux; even the nicest others finish their turns
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def _last_line(output: bytes) -> dict[str, Any] | None:
    """Read the JSON object that a trial ends with; None where it never came so far."""
    lines = output.splitlines()
    try:
        told = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return told if isinstance(told, dict) else None
