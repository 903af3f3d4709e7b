"""From one generation to another: opened beside in every worker, swapped in one step.

Workers start and die while a generation changes, and nobody waits for anybody: a worker begins with
what answers when it starts, and where that changed until it was ready, it follows.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from server.errors import GenerationRefusedError
from server.supervision.control import WorkerError, WorkerGoneError
from server.supervision.process import WorkerProcess
from server.supervision_settings import SupervisionSettings

log = logging.getLogger(__name__)


class Changer:
    """Knows what the workers of a server are to answer from, and takes them there.

    For one event loop. One change at a time is the caller's to see to.
    """

    def __init__(self, workers: Sequence[WorkerProcess], times: SupervisionSettings) -> None:
        self._workers = workers
        self._times = times
        self._news = asyncio.Event()
        self.path = Path()
        """The generation that answers, with which a worker begins."""

    async def open(self, worker: WorkerProcess) -> Path:
        """Start a worker and let it open what answers; returns that.

        Raises:
            WorkerError: it could not open it, or not in time.
        """
        path = self.path
        await worker.start()
        await worker.ask("open", str(path), within_s=self._times.open_timeout_s)
        return path

    async def listen(self, worker: WorkerProcess, path: Path, port: int) -> None:
        """Let a worker answer from what it has opened, and follow where something else answers now.

        Raises:
            WorkerError: it could not listen, or could not follow.
        """
        await worker.ask("listen", f"{path.name}:{port}", within_s=self._times.hung_s)
        self._answers(worker, path)
        while worker.answers and worker.generation != self.path.name:
            path = self.path
            await worker.ask("prepare", str(path), within_s=self._times.open_timeout_s)
            await worker.ask("swap", path.name, within_s=self._times.hung_s)
            self._answers(worker, path)

    async def change(self, path: Path) -> None:
        """Let a generation answer in every worker that lives, or nothing changes at all.

        Returns when a worker answers from it. One that died meanwhile begins its next life with it.

        Raises:
            GenerationRefusedError: a worker could not open it, or none answers from it.
        """
        if not any(each.answers for each in self._workers):
            await self._begin_with(path)
            return
        prepared = await self._prepare(path)
        asked = [each for each in self._workers if each.answers and prepared.get(each) == each.pid]
        await asyncio.gather(*(self._swap(each, path) for each in asked))
        if not self._any_answers_from(path):
            raise GenerationRefusedError(path, "no worker changed to it")
        self.path = path
        # Those that came up since the others had prepared; what comes up later follows by itself.
        behind = [each for each in self._workers if each.answers and each.generation != path.name]
        await asyncio.gather(*(self._catch_up(each, path) for each in behind))

    async def _begin_with(self, path: Path) -> None:
        """Let workers that are down begin with a generation, and see whether one answers from it.

        It may be the one before that they cannot live with.
        """
        before, self.path = self.path, path
        answers = await self._until(
            lambda: self._any_answers_from(path), self._times.open_timeout_s
        )
        if not answers:
            self.path = before
            raise GenerationRefusedError(path, "no worker answers from it")

    async def _prepare(self, path: Path) -> dict[WorkerProcess, int]:
        """Open a generation in every worker; where one cannot, in none.

        One after the other: it takes a core for a moment, and calls need the others.

        Returns:
            the process ids of those that opened it.
        """
        prepared: dict[WorkerProcess, int] = {}
        for each in self._workers:
            try:
                if each.answers:
                    prepared[each] = await self._open_beside(each, path)
            except WorkerError as error:
                await asyncio.gather(*(self._drop(each, path) for each in prepared))
                why = f"worker {each.number}: {error}"
                raise GenerationRefusedError(path, why) from error
        return prepared

    async def _open_beside(self, worker: WorkerProcess, path: Path) -> int:
        """Open a generation beside what a worker answers from; returns its process id.

        A worker that dies of it is asked once more when it is back: once may be chance.
        """
        pid, open_s = worker.pid, self._times.open_timeout_s
        try:
            await worker.ask("prepare", str(path), within_s=open_s)
        except WorkerGoneError:
            if not await self._until(lambda: worker.answers and worker.pid != pid, open_s):
                raise
            pid = worker.pid
            await worker.ask("prepare", str(path), within_s=open_s)
        return pid

    async def _swap(self, worker: WorkerProcess, path: Path) -> None:
        try:
            await worker.ask("swap", path.name, within_s=self._times.hung_s)
        except WorkerError as error:
            self._restart(worker, error)
        else:
            self._answers(worker, path)

    async def _catch_up(self, worker: WorkerProcess, path: Path) -> None:
        try:
            await worker.ask("prepare", str(path), within_s=self._times.open_timeout_s)
        except WorkerError as error:
            self._restart(worker, error)
        else:
            await self._swap(worker, path)

    def _restart(self, worker: WorkerProcess, error: WorkerError) -> None:
        """End a worker; its next life begins with what answers then."""
        log.warning("worker %d did not change: %s", worker.number, error)
        worker.kill()

    async def _drop(self, worker: WorkerProcess, path: Path) -> None:
        try:
            await worker.ask("drop", path.name, within_s=self._times.hung_s)
        except WorkerError as error:
            log.info("worker %d: %s", worker.number, error)

    def _any_answers_from(self, path: Path) -> bool:
        return any(each.answers and each.generation == path.name for each in self._workers)

    def _answers(self, worker: WorkerProcess, path: Path) -> None:
        worker.generation = path.name
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Wait until something holds of what the workers answer from; False where it does not."""
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    await self._news.wait()
        except TimeoutError:
            return False
        return True
