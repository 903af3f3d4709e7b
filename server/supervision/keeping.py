"""Keeps workers alive: one that ends is started anew, one that hangs is ended."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from server.supervision.changing import Changer
from server.supervision.control import WorkerError, WorkerGoneError
from server.supervision.counts import Counts
from server.supervision.process import WorkerProcess
from server.supervision_settings import SupervisionSettings

log = logging.getLogger(__name__)

LEAST_LIFE_S = 10.0
"""A worker that lived shorter than this waits before its next life, longer each time."""
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 10.0


class Keeper:
    """Looks after workers that have been started once; for one event loop."""

    def __init__(
        self,
        workers: Sequence[WorkerProcess],
        changer: Changer,
        counts: Counts,
        times: SupervisionSettings,
    ) -> None:
        self._workers = workers
        self._changer = changer
        self._counts = counts
        self._times = times

    def count(self) -> None:
        """Tell the metrics how many workers answer."""
        self._counts.metrics.workers(sum(each.answers for each in self._workers))

    async def keep(self, worker: WorkerProcess, port: int) -> None:
        """Start a worker again whenever it ends, whatever else is under way."""
        pause_s = FIRST_PAUSE_S
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            status = await worker.ended()
            await asyncio.to_thread(self._counts.ended, worker.last_pid)
            self.count()
            log.error("worker %d ended with status %d", worker.number, status)
            lived_s = loop.time() - began
            pause_s = FIRST_PAUSE_S if lived_s > LEAST_LIFE_S else min(pause_s * 2, LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)
            worker.restarts += 1
            try:
                path = await self._changer.open(worker)
                await self._changer.listen(worker, path, port)
            except (WorkerError, OSError) as error:
                log.error("worker %d could not start: %s", worker.number, error)
                worker.kill()
            else:
                log.info("worker %d answers again", worker.number)
                self.count()

    async def ping(self, worker: WorkerProcess) -> None:
        """Ask a worker's event loop over and over whether it turns; one that hangs is killed."""
        while True:
            await asyncio.sleep(self._times.ping_s)
            if not worker.answers:
                continue
            try:
                await worker.ask("ping", within_s=self._times.hung_s)
            except WorkerGoneError:
                continue
            except WorkerError as error:
                log.error("worker %d is replaced: %s", worker.number, error)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do what is to be done for as long as the server runs, again after a fault of ours."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("a task of the supervisor failed and begins anew")
            await asyncio.sleep(FIRST_PAUSE_S)
