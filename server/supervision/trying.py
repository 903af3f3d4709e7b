"""Runs the trial of a generation, in a process of its own that ends in time."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from server.errors import GenerationRefusedError
from server.supervision.control import MOST_ERROR_CHARS
from server.supervision.process import ONE_THREAD
from server.supervision.report import Report

NICENESS = 19
"""Of a trial: it computes for seconds, and those who answer calls meanwhile come first."""
ENDS_S = 5.0
"""Seconds that the end of a trial that was killed is waited for."""
MOST_BYTES = 1 << 20
"""Of the end of a trial's output that are kept."""


async def try_out(program: str, path: Path, flags: list[str], *, within_s: float) -> Report:
    """Try a generation in a process of its own.

    Raises:
        GenerationRefusedError: it did not pass, or not in time.
    """
    trial = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", program, str(path), *flags),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        env=ONE_THREAD | os.environ,
    )
    _make_way(trial.pid)
    try:
        async with asyncio.timeout(within_s):
            told = _last_line(await _output(trial))
            status = await trial.wait()
    except TimeoutError:
        raise GenerationRefusedError(path, f"its trial took longer than {within_s:g} s") from None
    finally:
        await _end(trial)
    if told is None:
        raise GenerationRefusedError(path, f"its trial ended with {status}")
    if "error" in told:
        raise GenerationRefusedError(path, str(told["error"])[:MOST_ERROR_CHARS])
    try:
        return Report.read(told)
    except TypeError:
        raise GenerationRefusedError(path, "its trial ended with no report") from None


def _make_way(pid: int) -> None:
    """Let a process run only where nobody who answers calls wants to."""
    with contextlib.suppress(OSError):  # it has ended, or the system does not let us
        os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)
        if hasattr(os, "SCHED_IDLE"):  # Linux; even the nicest others finish their turns
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


async def _end(trial: Process) -> None:
    """See to it that a trial has ended; the kernel may keep one that was killed for a while."""
    with contextlib.suppress(ProcessLookupError, TimeoutError):
        if trial.returncode is None:
            trial.kill()
        async with asyncio.timeout(ENDS_S):
            await trial.communicate()


async def _output(trial: Process) -> bytes:
    """Read the end of what a trial writes, however much that is."""
    assert trial.stdout is not None, "it is a pipe"
    output = b""
    while piece := await trial.stdout.read(1 << 16):
        output = (output + piece)[-MOST_BYTES:]
    return output


def _last_line(output: bytes) -> dict[str, Any] | None:
    """Read the JSON object that a trial ends with; None where it never came so far."""
    lines = output.splitlines()
    try:
        told = json.loads(lines[-1])
    except (IndexError, ValueError):
        return None
    return told if isinstance(told, dict) else None
