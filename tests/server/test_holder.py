"""What answers while generations change, and what is left of those that go."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from nearfield.v1 import recommendation_pb2 as pb
from server.errors import ShuttingDownError
from server.holder import Holder
from server.methods import METHODS, Method
from server.pages import Page
from server.surround import Answer

RECOMMEND = METHODS["/nearfield.v1.RecommendationService/Recommend"]

SET_ASIDE = """
import gc
import server.supervision.worker
from retrieval import kernels
from server.holder import set_aside
before = len(gc.get_objects())
kernels.load()
set_aside()
after = len(gc.get_objects())
aside = gc.get_freeze_count()
kernels.load()
print(before, after, aside, len(gc.get_objects()))
"""


def test_collections_of_a_worker_pass_over_its_modules() -> None:
    command = [sys.executable, "-c", SET_ASIDE]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, left, aside, later = map(int, told.split())
    assert before > 10_000
    assert left < before / 100
    assert aside > before / 2
    assert later < before / 100, "calling a kernel imports nothing more"


class Generation:
    """Answers with its name until it is closed, which takes until it is let."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closing = asyncio.Event()
        self.let = asyncio.Event()

    def answer(self, method: Method, request: object) -> Answer:
        if self.closing.is_set():
            raise ShuttingDownError
        return self.name.encode()

    async def finished(self) -> None: ...

    async def close(self) -> None:
        self.closing.set()
        await self.let.wait()


def page_of(generation: Generation) -> pb.RecommendRequest:
    return pb.RecommendRequest(page_token=Page(generation.name, b"f" * 16, 10).write())


async def test_page_of_a_generation_that_is_being_closed_goes_to_the_current_one() -> None:
    generations: Any = [Generation(name) for name in ("first", "second", "third")]
    first, second, third = generations
    holder = Holder(first, page_hold_s=60.0)
    holder.swap(second)
    assert holder.answer(RECOMMEND, page_of(first)) == b"first"
    holder.swap(third)
    async with asyncio.timeout(10):
        await first.closing.wait()
    assert holder.answer(RECOMMEND, page_of(first)) == b"third", "which says PAGE_EXPIRED"
    assert holder.answer(RECOMMEND, page_of(second)) == b"second"
    assert holder.finishing == ("first", "second")
    for each in generations:
        each.let.set()
    await holder.close()


@pytest.mark.parametrize("page_hold_s", [0.0, 0.01])
async def test_pages_expire_when_their_time_is_over(page_hold_s: float) -> None:
    old, new = generations = [Generation("old"), Generation("new")]
    typed: Any = generations
    holder = Holder(typed[0], page_hold_s=page_hold_s)
    holder.swap(typed[1])
    async with asyncio.timeout(10):
        await old.closing.wait()
    assert holder.answer(RECOMMEND, page_of(old)) == b"new"
    for each in generations:
        each.let.set()
    await holder.close()
    assert new.closing.is_set()
