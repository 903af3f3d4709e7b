"""A worker as the supervisor sees it: a process, and a link to it."""

import asyncio
import logging
import os
import socket
import sys
from asyncio.subprocess import Process
from dataclasses import dataclass

from server.supervision.control import (
    Asking,
    Told,
    Verb,
    WorkerGoneError,
    WorkerHungError,
    open_end,
)

log = logging.getLogger(__name__)

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""Of numpy and faiss in a worker: several workers, and several micro-batches in each, keep the
cores busy already, and threads that share a core wait for each other. The environment may say
otherwise."""
FEW_ARENAS = {"MALLOC_ARENA_MAX": "2"}
"""Heaps of glibc in a worker. Each generation brings threads of its own, and heaps that belong to
threads that come and go keep what was freed in them."""

LAST_LOOK_S = 1.0
"""Seconds that a worker gets once more when its time is over. Where this process was stopped as
well, as by a container that is paused, the time of all ends at once, before anybody could answer.
"""


@dataclass(frozen=True)
class Programs:
    """The modules that are run; tests have others, which take generations of fakes."""

    worker: str = "server.supervision.worker"
    trial: str = "server.supervision.trial"


class WorkerProcess:
    """One worker through all its lives; for one event loop."""

    def __init__(self, number: int, programs: Programs, flags: list[str]) -> None:
        self.number = number
        self.generation = ""
        """Name of what it answers from; empty until it answers."""
        self.restarts = 0
        self.last_pid = 0
        """Process id of its life now, or of the one that ended last."""
        self._command = [sys.executable, "-m", programs.worker]
        self._flags = flags
        self._process: Process | None = None
        self._link: Asking | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 while it has none."""
        return (
            0
            if self._process is None or self._process.returncode is not None
            else self._process.pid
        )

    @property
    def answers(self) -> bool:
        """Whether it answers calls."""
        return bool(self.pid and self.generation)

    async def start(self) -> None:
        """Start a process; it opens nothing until it is asked to."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    str(theirs.fileno()),
                    str(self.number),
                    *self._flags,
                    stdin=asyncio.subprocess.DEVNULL,
                    env=ONE_THREAD | FEW_ARENAS | os.environ,
                    pass_fds=(theirs.fileno(),),
                )
            except BaseException:
                ours.close()
                raise
        self.last_pid = self._process.pid
        self._link = await open_end(ours)

    async def ask(self, verb: Verb, about: str = "", *, within_s: float) -> Told:
        """Ask for something, and wait until it is done. A worker that takes longer is killed.

        Raises:
            WorkerError: it could not be done.
            WorkerGoneError: the process has ended.
            WorkerHungError: it did not answer in time.
        """
        link = self._link
        if link is None:
            raise WorkerGoneError
        asked = asyncio.ensure_future(link.ask(verb, about))
        try:
            for wait_s in (within_s, LAST_LOOK_S):
                await asyncio.wait({asked}, timeout=wait_s)
                if asked.done():
                    return asked.result()
        except WorkerGoneError:
            self._give_up(link)  # it may live where its link broke, and hear of nothing any more
            raise
        finally:
            asked.cancel()
        self._give_up(link)  # what it would still do comes too late
        raise WorkerHungError(verb, within_s)

    async def ended(self) -> int:
        """Wait for the end of the process and return its status, below 0 for a signal."""
        assert self._process is not None, "a worker that was never started does not end"
        status = await self._process.wait()
        self.generation = ""
        await self.let_go()
        return status

    async def let_go(self) -> None:
        """Close the link, after which a worker drains and ends by itself."""
        if self._link is not None:
            link, self._link = self._link, None
            await link.close()

    def kill(self) -> None:
        """End the process at once."""
        self.generation = ""
        if self.pid and self._process is not None:
            self._process.kill()

    def _give_up(self, link: Asking) -> None:
        """Kill the process that a link leads to, unless it was let go of or is another by now."""
        if self._link is link:
            self.kill()
