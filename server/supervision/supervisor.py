"""Keeps workers answering: starts them, starts them again, changes what they answer from."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from export.generation import GenerationError
from export.generation.folder import locate
from export.generation.manifest import read_manifest
from export.generation.verify import check_files
from server.addresses import address_of
from server.errors import (
    GenerationRefusedError,
    GenerationsBusyError,
    GenerationUnknownError,
    NothingBeforeError,
    ShuttingDownError,
)
from server.settings import Settings
from server.supervision.changing import Changer
from server.supervision.control import WorkerError
from server.supervision.counts import Counts
from server.supervision.keeping import Keeper, lasting
from server.supervision.ports import take_port
from server.supervision.process import Programs, WorkerProcess
from server.supervision.report import Report
from server.supervision.store import Store
from server.supervision.trying import try_out
from server.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

DRAIN_SPARE_S = 10.0
"""Seconds that a worker gets beyond its drain and grace before it is killed."""

T = TypeVar("T")


@dataclass(frozen=True)
class Change:
    """A change that has happened."""

    name: str
    report: Report
    total_s: float


class Supervisor:
    """A server of several processes; `start`, then `stop`. For one event loop.

    `flags` are what the program was called with; workers and trials get them too. One change at a
    time; workers are started again without waiting for it.
    """

    def __init__(
        self,
        settings: Settings,
        flags: list[str],
        programs: Programs,
        *,
        counts: Counts | None = None,
    ) -> None:
        self._settings = settings
        self._counts = counts or Counts(Metrics())
        self.store = Store(settings.generation)
        self.workers = [WorkerProcess(n, programs, flags) for n in range(settings.workers)]
        self.refusals: dict[str, str] = {}
        """Why generations did not pass when they were last tried, by name."""
        self.port = 0
        """Where the workers listen, once they do."""
        self._programs, self._flags = programs, flags
        self._changer = Changer(self.workers, settings.supervision)
        self._keeper = Keeper(self.workers, self._changer, self._counts, settings.supervision)
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._stopping = False
        self._declined = Path()
        """What the link pointed to when it was last refused; not tried again until it moves."""

    @property
    def path(self) -> Path:
        """The generation that answers."""
        return self._changer.path

    @property
    def serving(self) -> str:
        """Name of the generation that answers."""
        return self.path.name

    @property
    def address(self) -> str:
        """Where the workers listen: host and port, or a Unix socket."""
        return address_of(self._settings.host, self.port)

    @property
    def ready(self) -> bool:
        """Whether any worker answers calls."""
        return not self._stopping and any(each.answers for each in self.workers)

    @property
    def changing(self) -> bool:
        """Whether a change of generations is under way."""
        return self._changing.locked()

    def missing(self) -> str:
        """Say why no calls are answered; empty while they are."""
        if self.ready:
            return ""
        return "draining" if self._stopping else "no worker answers"

    async def start(self) -> None:
        """Start every worker, and return when all of them answer.

        Where the current generation cannot answer and the one before it can, that one does.

        Raises:
            GenerationError: there is no generation, or a file of it is damaged.
            PortTakenError: the port is taken.
            WorkerError: a worker could not open the generation or listen.
        """
        self._changer.path = self.store.current()
        self._port_kept, self.port = take_port(self._settings.host, self._settings.port)
        try:
            await self._open_first()
            for each in self.workers:
                await self._changer.listen(each, self.path, self.port)
        except (WorkerError, GenerationError):
            await self._end()
            self._port_kept.close()
            raise
        for each in self.workers:
            self._begin(lasting(partial(self._keeper.keep, each, self.port)))
            self._begin(lasting(partial(self._keeper.ping, each)))
        self._keeper.count()
        self._begin(lasting(self._watch))

    async def stop(self) -> None:
        """Drain every worker, and return when all have ended."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end()
        self._port_kept.close()

    async def _open_first(self) -> None:
        """Open the current generation in every worker, else the one before it."""
        try:
            await self._open_all()
        except (WorkerError, GenerationError) as error:
            previous = self.store.previous()
            path = previous and self.store.find(previous)
            if not path or path == self.path:
                raise
            log.error("generation %s: %s; trying the one before it", self.serving, error)
            self.refusals[self.serving] = str(error)
            self._declined, self._changer.path = self.path, path
            await self._end()
            await self._open_all()

    async def _open_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.to_thread(self._verify))
                for each in self.workers:
                    tasks.create_task(self._changer.open(each))
        except* (WorkerError, GenerationError) as group:
            raise _first(group) from None

    async def activate(self, name: str) -> Change:
        """Let a generation of the store answer.

        Raises:
            GenerationUnknownError: there is none of that name.
            GenerationRefusedError: it did not pass.
            GenerationsBusyError: another change is under way.
            ShuttingDownError: the server stopped meanwhile.
        """
        path = self.store.find(name)
        if path is None:
            raise GenerationUnknownError(name)
        if self.changing:
            raise GenerationsBusyError
        async with self._changing:
            return await self._change(path)

    async def roll_back(self) -> Change:
        """Let the generation answer that answered before this one.

        Raises:
            NothingBeforeError: there is none.
            GenerationRefusedError, GenerationsBusyError, ShuttingDownError: as `activate`.
        """
        name = self.store.previous()
        if name is None or name == self.serving:
            raise NothingBeforeError
        return await self.activate(name)

    async def _change(self, path: Path) -> Change:
        """Change in a task that ends when the server stops."""
        task = self._begin(self._try_and_change(path))
        try:
            return await task
        except asyncio.CancelledError:
            waiting = asyncio.current_task()
            if waiting is None or waiting.cancelling():
                raise  # whoever waits is to end as well
            raise ShuttingDownError from None

    async def _try_and_change(self, path: Path) -> Change:
        began, before = time.monotonic(), self.serving
        within_s = self._settings.supervision.trial_timeout_s
        try:
            report = await try_out(self._programs.trial, path, self._flags, within_s=within_s)
            await self._changer.change(path)
        except GenerationRefusedError as error:
            self.refusals[error.name] = error.why
            self._counts.metrics.swap("refused")
            log.error("%s", error)
            raise
        change = Change(path.name, report, time.monotonic() - began)
        self.refusals.pop(change.name, None)
        self._counts.metrics.swap("done")
        await asyncio.to_thread(self.store.record, change.name, before)
        log.info("generation %s answers, after %.2f s", change.name, change.total_s)
        return change

    async def _watch(self) -> None:
        """Take over what is dropped: a link `current` that points elsewhere."""
        while True:
            await asyncio.sleep(self._settings.watch_s)
            if self.store.out is None or self.changing:
                continue
            dropped = await asyncio.to_thread(_dropped, self.store.out)
            if dropped is None or dropped in (self.path, self._declined):
                continue
            log.info("generation %s was dropped", dropped.name)
            async with self._changing:
                try:
                    await self._change(dropped)
                except GenerationRefusedError:
                    # The link is left to who set it: others may follow it too.
                    self._declined = dropped
                except OSError as error:  # no process could be started, for example
                    log.error("generation %s could not be tried: %s", dropped.name, error)

    def _verify(self) -> None:
        if self._settings.verify:
            check_files(self.path, read_manifest(self.path), hashed=True)

    async def _end(self) -> None:
        """End every worker that lives: it drains, and is killed where that takes too long."""
        settings = self._settings
        patience_s = settings.drain_wait_s + settings.grace_s + DRAIN_SPARE_S
        living = [each for each in self.workers if each.pid]
        for each in living:
            await each.let_go()
        ends = [asyncio.ensure_future(each.ended()) for each in living]
        if ends:
            await asyncio.wait(ends, timeout=patience_s)
        for each in living:
            each.kill()
        await asyncio.gather(*ends)

    def _begin(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Do something beside; it is cancelled when the server stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


async def supervise(supervisor: Supervisor, *, until: Callable[[], Awaitable[None]]) -> None:
    """Serve until `until` has been awaited, then drain; errors as `Supervisor.start`."""
    await supervisor.start()
    log.info("serving generation %s on %s", supervisor.serving, supervisor.address)
    await until()
    log.info("draining")
    await supervisor.stop()
    log.info("stopped")


async def signalled() -> None:
    """Wait for SIGTERM or SIGINT. A second signal ends the process at once."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)


def _dropped(out: Path) -> Path | None:
    try:
        return locate(out)
    except (GenerationError, OSError):  # not whole yet; looked at again in a moment
        return None


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Find the error that came first; the others are what became of it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Exception)
    return error
