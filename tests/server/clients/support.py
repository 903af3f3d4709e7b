"""Runs clients that are not ours against a server of the test's own process."""

import asyncio
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import google.rpc.status_pb2
import pytest

PROTOS = Path(__file__).parents[3] / "protos"
COMMON = Path(google.rpc.status_pb2.__file__).parents[2]
"""Where google/rpc/status.proto is."""
TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    code: int
    out: str
    err: str


def tool(name: str, source: str) -> str:
    """Find a program beside this Python, or elsewhere on this machine.

    Where it is missing the test is skipped, in CI it fails.
    """
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        leave_out(f"there is no {name} here, which {source} brings")
    return found


def leave_out(reason: str) -> NoReturn:
    """Skip a test on somebody's machine, and fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


async def run(*command: str | Path, given: str = "") -> Done:
    """Run a program to its end."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(given.encode()), TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())
