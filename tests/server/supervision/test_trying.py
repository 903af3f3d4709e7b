"""Trials that do not end as they should."""

import asyncio
import contextlib
from pathlib import Path

import psutil
import pytest

from server.errors import GenerationRefusedError
from server.supervision.trying import try_out


async def test_trial_that_takes_too_long_is_ended_and_refused() -> None:
    with pytest.raises(GenerationRefusedError, match=r"longer than 0\.5 s"):
        await try_out("tests.server.try_forever", Path("name"), [], within_s=0.5)
    async with asyncio.timeout(10):
        while runs("tests.server.try_forever"):  # noqa: ASYNC110 - it tells nobody of its end
            await asyncio.sleep(0.01)


def runs(program: str) -> bool:
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is none either
            if program in child.cmdline():
                return True
    return False


@pytest.mark.parametrize(
    ("program", "why"), [("this", "ended with 0"), ("tests.no_such_module", "ended with 1")]
)
async def test_trial_that_ends_with_no_report_is_refused(program: str, why: str) -> None:
    with pytest.raises(GenerationRefusedError, match=why):
        await try_out(program, Path("name"), [], within_s=30)
