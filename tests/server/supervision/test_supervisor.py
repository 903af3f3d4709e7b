"""Workers that start, end and change together, with real processes and sockets."""

import asyncio
import contextlib
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nearfield import AsyncClient, Retry
from server.errors import (
    GenerationRefusedError,
    GenerationsBusyError,
    GenerationUnknownError,
    NothingBeforeError,
    PortTakenError,
    ShuttingDownError,
)
from server.exit_codes import WRONG_GENERATION
from server.supervision import store
from server.supervision.control import WorkerError
from server.supervision.process import FEW_ARENAS, ONE_THREAD, Programs
from server.supervision.supervisor import Supervisor
from server.supervision.trying import NICENESS
from tests.server.serve_tiny import TINY
from tests.server.supervision.support import damage, drop, supervising, two_generations
from tests.server.support import make_settings
from tests.support.generation import write_tiny_output

TRIED_FOREVER = Programs(TINY.worker, "tests.server.try_forever")


async def ask(supervisor: Supervisor) -> str:
    """Ask over a connection of its own, and tell which generation answered."""
    async with AsyncClient(f"127.0.0.1:{supervisor.port}") as client:
        return (await client.recommend("user-1")).info.generation


async def generations_seen(supervisor: Supervisor, connections: int = 12) -> set[str]:
    return set(await asyncio.gather(*(ask(supervisor) for _ in range(connections))))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.05)


async def all_answer_from(supervisor: Supervisor, name: str) -> None:
    await until(lambda: {each.generation for each in supervisor.workers} == {name})


async def test_all_workers_change_and_go_back(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        assert await generations_seen(supervisor) == {first}
        with pytest.raises(NothingBeforeError):
            await supervisor.roll_back()
        change = await supervisor.activate(second)
        assert change.name == second
        assert change.report.agreement == 1.0
        assert change.report.recall == 1.0
        assert await generations_seen(supervisor) == {second}
        assert (tmp_path / "current").resolve().name == second
        await supervisor.roll_back()
        assert await generations_seen(supervisor) == {first}
        assert (tmp_path / "current").resolve().name == first
        assert {each.restarts for each in supervisor.workers} == {0}


async def test_trial_makes_way_for_those_who_answer(tmp_path: Path) -> None:
    _, second = two_generations(tmp_path)
    async with supervising(tmp_path, workers=1, trials_make_way=True) as supervisor:
        change = asyncio.ensure_future(supervisor.activate(second))
        seen: set[tuple[int, bool, str]] = set()
        while not change.done():
            seen |= trials()
            await asyncio.sleep(0.01)
        assert (await change).name == second
    assert (os.nice(0) + NICENESS, True, "1") in seen


async def test_workers_have_few_heaps_and_one_thread_of_numpy(tmp_path: Path) -> None:
    two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        for each in supervisor.workers:
            environment = psutil.Process(each.pid).environ()
            assert environment.items() >= (ONE_THREAD | FEW_ARENAS).items()


def trials() -> set[tuple[int, bool, str]]:
    """Look at the trials that run: niceness, whether idle by class, threads that numpy may have."""
    seen = set()
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if TINY.trial in child.cmdline():
                idle = os.sched_getscheduler(child.pid) == os.SCHED_IDLE
                seen.add((child.nice(), idle, child.environ()["OMP_NUM_THREADS"]))
    return seen


async def test_generation_that_is_dropped_takes_over(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        drop(tmp_path, tmp_path / "current", second)
        await all_answer_from(supervisor, second)
        assert await generations_seen(supervisor) == {second}
        assert supervisor.store.previous() == first


async def test_damaged_generation_is_refused_and_the_old_one_answers_on(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    damage(tmp_path, second, "item_vectors.npy")
    async with supervising(tmp_path) as supervisor:
        with pytest.raises(GenerationRefusedError, match=r"item_vectors\.npy"):
            await supervisor.activate(second)
        assert await generations_seen(supervisor) == {first}
        assert "item_vectors.npy" in supervisor.refusals[second]


async def test_link_to_a_refused_generation_is_tried_once_and_left(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    damage(tmp_path, second, "hgnn.onnx")
    async with supervising(tmp_path) as supervisor:
        drop(tmp_path, tmp_path / "current", second)
        await until(lambda: second in supervisor.refusals)
        assert await generations_seen(supervisor) == {first}
        supervisor.refusals.clear()
        await asyncio.sleep(0.5)
        assert not supervisor.refusals
        assert (tmp_path / "current").resolve().name == second


async def test_server_starts_with_the_one_before_where_the_current_one_is_damaged(
    tmp_path: Path,
) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path, workers=1) as supervisor:
        await supervisor.activate(second)
    damage(tmp_path, second, "hgnn.onnx")
    async with supervising(tmp_path, workers=1) as supervisor:
        assert await generations_seen(supervisor) == {first}
        assert "hgnn.onnx" in supervisor.refusals[second]


async def test_folder_that_cannot_be_written_to_is_followed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_generations(tmp_path)

    def read_only(out: Path, link: str, name: str) -> Path:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(store, "point", read_only)  # root may write anywhere
    async with supervising(tmp_path, workers=1) as supervisor:
        for name in (second, first):
            drop(tmp_path, tmp_path / "current", name)
            await all_answer_from(supervisor, name)


async def test_generation_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    two_generations(tmp_path)
    async with supervising(tmp_path, workers=1) as supervisor:
        for name in ("nothing", "", "../generations", "."):
            with pytest.raises(GenerationUnknownError):
                await supervisor.activate(name)


async def test_one_change_at_a_time(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path, workers=1) as supervisor:
        change = asyncio.ensure_future(supervisor.activate(second))
        await asyncio.sleep(0)
        with pytest.raises(GenerationsBusyError):
            await supervisor.activate(first)
        assert (await change).name == second


async def test_killed_worker_is_started_again_with_what_answers_now(tmp_path: Path) -> None:
    _, second = two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        await supervisor.activate(second)
        victim = supervisor.workers[0]
        os.kill(victim.pid, signal.SIGKILL)
        while not victim.restarts:
            assert supervisor.ready
            await ask(supervisor)
        await all_answer_from(supervisor, second)
        assert await generations_seen(supervisor) == {second}


async def test_worker_killed_while_a_generation_changes_is_no_obstacle(tmp_path: Path) -> None:
    _, second = two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        change = asyncio.ensure_future(supervisor.activate(second))
        await asyncio.sleep(0.2)
        os.kill(supervisor.workers[1].pid, signal.SIGKILL)
        assert (await change).name == second
        await all_answer_from(supervisor, second)
        assert await generations_seen(supervisor) == {second}


async def test_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    first, _ = two_generations(tmp_path)
    async with supervising(tmp_path, ping_s=0.1, hung_s=1.0) as supervisor:
        hanging = {each.pid for each in supervisor.workers}
        stopped, blocked = supervisor.workers
        os.kill(stopped.pid, signal.SIGSTOP)
        os.kill(blocked.pid, signal.SIGUSR1)
        await until(lambda: all(each.restarts and each.answers for each in supervisor.workers))
        assert not hanging & {each.pid for each in supervisor.workers}
        assert await generations_seen(supervisor, 4) == {first}


async def test_worker_is_started_again_while_a_generation_is_tried(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path, workers=1, programs=TRIED_FOREVER) as supervisor:
        drop(tmp_path, tmp_path / "current", second)
        await until(lambda: supervisor.changing)
        (worker,) = supervisor.workers
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: worker.restarts == 1 and worker.answers)
        assert supervisor.changing
        assert await ask(supervisor) == first
        with pytest.raises(GenerationsBusyError):
            await supervisor.activate(second)


async def test_change_that_is_under_way_when_the_server_stops_is_told_so(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path, workers=1, programs=TRIED_FOREVER) as supervisor:
        change = asyncio.ensure_future(supervisor.activate(second))
        await until(lambda: supervisor.changing)
    with pytest.raises(ShuttingDownError):
        await change
    assert supervisor.store.current().name == first


async def test_no_call_fails_over_many_changes(tmp_path: Path) -> None:
    first, second = two_generations(tmp_path)
    async with supervising(tmp_path) as supervisor:
        over = asyncio.Event()
        answered = 0

        async def keep_asking() -> None:
            nonlocal answered
            once = Retry(attempts=1, told_waits=0)
            async with AsyncClient(f"127.0.0.1:{supervisor.port}", retry=once) as client:
                while not over.is_set():
                    answer = await client.recommend("user-1")
                    assert answer.info.generation in {first, second}
                    answered += 1
                    await asyncio.sleep(0.001)  # else trials get nothing of two cores

        asking = [asyncio.ensure_future(keep_asking()) for _ in range(4)]
        for name in (second, first) * 2:
            await supervisor.activate(name)
        over.set()
        await asyncio.gather(*asking)
        assert answered > 100


async def test_port_that_another_server_has_is_not_shared(tmp_path: Path) -> None:
    two_generations(tmp_path)
    async with supervising(tmp_path, workers=1) as supervisor:
        settings = make_settings(generation=tmp_path, port=supervisor.port)
        with pytest.raises(PortTakenError):
            await Supervisor(settings, [], TINY).start()


async def test_damage_is_found_before_anything_answers(tmp_path: Path) -> None:
    name = write_tiny_output(tmp_path).name
    damage(tmp_path, name, "text.npy")
    with pytest.raises(Exception, match=r"text\.npy"):
        async with supervising(tmp_path, workers=1):
            pass


async def test_worker_that_cannot_open_ends_the_start_with_its_status(tmp_path: Path) -> None:
    name = write_tiny_output(tmp_path).name
    flags = ["--generation", str(tmp_path), "--security.authentication", "off"]
    settings = make_settings(generation=tmp_path)
    with pytest.raises(WorkerError, match="must not serve") as caught:
        await Supervisor(settings, flags, Programs()).start()
    assert caught.value.status == WRONG_GENERATION
    assert (tmp_path / "current").resolve().name == name
