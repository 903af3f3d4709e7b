"""Workers that die, hang or come up at every moment of a change; in one process."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from server.errors import GenerationRefusedError
from server.supervision.changing import Changer
from server.supervision.control import (
    Told,
    Verb,
    WorkerError,
    WorkerGoneError,
    WorkerHungError,
)
from server.supervision.process import Programs, WorkerProcess
from server.supervision_settings import SupervisionSettings

OLD, NEW = Path("generations/old"), Path("generations/new")
TIMES = SupervisionSettings(open_timeout_s=0.2, hung_s=0.2)


class Worker(WorkerProcess):
    """A worker without a process: what it is asked, and what becomes of it."""

    def __init__(self, number: int) -> None:
        super().__init__(number, Programs(), [])
        self.lives = 0
        self.dead = True
        self.asked: list[str] = []
        self.does: dict[str, Callable[[], None]] = {}
        """What happens when it is asked something, once for each entry."""
        self.open: set[str] = set()

    @property
    def pid(self) -> int:
        return 0 if self.dead else 100 * self.number + self.lives

    async def start(self) -> None:
        self.lives += 1
        self.dead = False
        self.open.clear()

    async def ask(self, verb: Verb, about: str = "", *, within_s: float) -> Told:
        self.asked.append(f"{verb} {Path(about).name}")
        await asyncio.sleep(0)
        if act := self.does.pop(self.asked[-1], None):
            act()
        if self.dead:
            raise WorkerGoneError
        name = Path(about).name
        if verb in {"open", "prepare"}:
            self.open.add(name)
        elif verb == "swap":
            if name not in self.open:
                raise WorkerError(f"generation {name} is not open here")
            self.open.remove(name)
        return {}

    def kill(self) -> None:
        self.dead = True
        self.generation = ""

    def hang(self) -> None:
        self.kill()
        raise WorkerHungError("prepare", 0.2)

    def refuse(self) -> None:
        raise WorkerError("damaged")


class House:
    """Workers, and who takes them from one generation to another."""

    def __init__(self) -> None:
        self.workers = [Worker(number) for number in range(3)]
        self.changer = Changer(self.workers, TIMES)
        self.changer.path = OLD
        self.begun: set[asyncio.Task[None]] = set()

    async def begin(self, worker: Worker) -> None:
        """Start a worker, as the supervisor does."""
        path = await self.changer.open(worker)
        await self.changer.listen(worker, path, 1)

    def dies_and_comes_back(self, worker: Worker) -> Callable[[], None]:
        """Let a worker end, and start anew by itself."""

        def act() -> None:
            worker.kill()
            self.begun.add(asyncio.ensure_future(self.begin(worker)))

        return act

    def comes_up(self, worker: Worker) -> Callable[[], None]:
        """Let a worker that was down begin."""
        return lambda: self.begun.add(asyncio.ensure_future(self.begin(worker)))

    @property
    def answering(self) -> list[str]:
        return [each.generation for each in self.workers]


@pytest.fixture
async def house() -> House:
    made = House()
    for each in made.workers:
        await made.begin(each)
    return made


async def test_all_change(house: House) -> None:
    await house.changer.change(NEW)
    assert house.answering == ["new"] * 3
    assert house.changer.path == NEW


async def test_worker_that_dies_of_a_generation_twice_keeps_it_from_all(house: House) -> None:
    first, second, third = house.workers
    twice = house.dies_and_comes_back(second)

    def dies() -> None:
        second.does["prepare new"] = twice
        twice()

    second.does["prepare new"] = dies
    with pytest.raises(GenerationRefusedError, match="worker 1: the worker ended"):
        await house.changer.change(NEW)
    await asyncio.gather(*house.begun)
    assert house.answering == ["old"] * 3
    assert house.changer.path == OLD
    assert first.asked[-1] == "drop new"
    assert "prepare new" not in third.asked


async def test_worker_that_dies_and_stays_dead_keeps_it_from_all(house: House) -> None:
    house.workers[0].does["prepare new"] = house.workers[0].kill
    with pytest.raises(GenerationRefusedError, match="worker 0"):
        await house.changer.change(NEW)
    assert house.answering == ["", "old", "old"]
    assert house.changer.path == OLD


async def test_worker_that_dies_by_chance_is_asked_again_in_its_next_life(house: House) -> None:
    second = house.workers[1]
    second.does["prepare new"] = house.dies_and_comes_back(second)
    await house.changer.change(NEW)
    assert house.answering == ["new"] * 3


@pytest.mark.parametrize("what", ["hang", "refuse"])
async def test_worker_that_cannot_open_keeps_it_from_all(house: House, what: str) -> None:
    last = house.workers[2]
    last.does["prepare new"] = getattr(last, what)
    with pytest.raises(GenerationRefusedError, match="worker 2"):
        await house.changer.change(NEW)
    assert house.answering[:2] == ["old", "old"]
    assert house.changer.path == OLD
    assert [each.asked[-1] for each in house.workers[:2]] == ["drop new"] * 2


async def test_worker_that_dies_while_it_swaps_comes_back_with_the_new_one(house: House) -> None:
    first = house.workers[0]
    first.does["swap new"] = house.dies_and_comes_back(first)
    await house.changer.change(NEW)
    await asyncio.gather(*house.begun)
    assert house.answering == ["new"] * 3


async def test_where_all_die_while_they_swap_nothing_has_changed(house: House) -> None:
    for each in house.workers:
        each.does["swap new"] = each.kill
    with pytest.raises(GenerationRefusedError, match="no worker changed"):
        await house.changer.change(NEW)
    assert house.changer.path == OLD
    await house.begin(house.workers[0])
    assert house.answering[0] == "old"


@pytest.mark.parametrize("who", [0, 2])
@pytest.mark.parametrize("moment", ["prepare new", "swap new"])
async def test_worker_that_comes_up_meanwhile_ends_on_the_new_one(
    house: House, who: int, moment: str
) -> None:
    down, other = house.workers[who], house.workers[1]
    down.kill()
    other.does[moment] = house.comes_up(down)
    await house.changer.change(NEW)
    await asyncio.gather(*house.begun)
    assert house.answering == ["new"] * 3


async def test_worker_that_opened_the_old_one_while_all_swapped_follows(house: House) -> None:
    down = house.workers[0]
    down.kill()
    path = await house.changer.open(down)
    await house.changer.change(NEW)
    assert house.answering == ["", "new", "new"]
    await house.changer.listen(down, path, 1)
    assert house.answering == ["new"] * 3


async def test_where_nobody_answers_the_next_life_begins_with_the_new_one(house: House) -> None:
    for each in house.workers:
        each.kill()
    change = asyncio.ensure_future(house.changer.change(NEW))
    await asyncio.sleep(0)
    await house.begin(house.workers[1])
    await change
    assert house.answering == ["", "new", ""]


async def test_where_nobody_answers_and_nobody_comes_up_nothing_has_changed(house: House) -> None:
    for each in house.workers:
        each.kill()
    with pytest.raises(GenerationRefusedError, match="no worker answers"):
        await house.changer.change(NEW)
    assert house.changer.path == OLD
