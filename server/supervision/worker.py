"""One worker process: `python -m server.supervision.worker`, started by the supervisor alone.

It opens what the supervisor says, listens on the port that all workers share, and changes
generations when it is told to. When the supervisor ends, however that happens, it drains and ends.
"""

import asyncio
import logging
import signal
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from pydantic_settings import CliApp

from retrieval import kernels
from server import message_cost
from server.app import App
from server.batcher import SWITCH_S
from server.engine import Engine
from server.featurizers import close_texts
from server.holder import set_aside
from server.security.caller_table import Sharing
from server.served import Served
from server.settings import Settings
from server.supervision.control import Question, Told, answer_all
from server.supervision.opening import Read, open_engine, read_generation
from server.telemetry.exposition import folder_of_run
from server.telemetry.process import Telemetry
from server.texts import Texts

log = logging.getLogger(__name__)

CALLERS_FILE = "callers"
"""In the folder of a run: what each caller has had, over all workers."""


@dataclass(frozen=True, eq=False)
class _Opened:
    """A generation that could answer."""

    engine: Engine
    texts: Texts


class NotOpenError(Exception):
    """The worker was asked for a generation that it has not opened."""

    def __init__(self, name: str) -> None:
        super().__init__(f"generation {name} is not open here")


class Worker:
    """Does what the supervisor asks; for one event loop."""

    def __init__(
        self,
        settings: Settings,
        read: Read,
        telemetry: Telemetry,
        sharing: Sharing | None = None,
    ) -> None:
        self._settings = settings
        self._sharing = sharing
        self._telemetry = telemetry
        self._looking = AsyncExitStack()
        self._read = read
        self._open: dict[str, _Opened] = {}
        self._app: App | None = None

    async def answer(self, question: Question) -> Told | None:
        """Do one thing.

        Raises:
            Exception: it cannot be done; nothing has changed.
        """
        match question.verb:
            case "open" | "prepare":
                return await self._prepare(Path(question.about))
            case "listen":
                return await self._listen(*question.about.rsplit(":", 1))
            case "swap":
                self._swap(question.about)
            case "drop":
                await close_texts(self._take(question.about).texts)
            case "ping":  # that it is answered says that the event loop turns
                pass
        return None

    async def drain(self) -> None:
        """Finish what has begun, and stop."""
        if self._app is not None:
            app, self._app = self._app, None
            await app.stop()
        await self._looking.aclose()

    async def _prepare(self, path: Path) -> Told:
        opened = await asyncio.to_thread(self._open_at, path)
        name = opened.engine.generation.name
        before = self._open.get(name)
        self._open[name] = opened
        if before is not None:
            await close_texts(before.texts)
        return {"generation": name}

    def _open_at(self, path: Path) -> _Opened:
        return _Opened(
            *open_engine(self._read(path, False), self._settings, metrics=self._telemetry.metrics)
        )

    async def _listen(self, name: str, port: str) -> Told:
        opened = self._take(name)
        settings = self._settings.model_copy(update={"port": int(port), "port_shared": True})
        app = App(
            opened.engine,
            opened.texts,
            settings,
            watchers=self._telemetry.watchers(asyncio.get_running_loop().time),
            metrics=self._telemetry.metrics,
            sharing=self._sharing,
        )
        await app.start()
        self._app = app
        self._telemetry.answers_from(opened.engine.generation.manifest)
        await self._looking.enter_async_context(self._telemetry.looking(app.certificate))
        return {"generation": name}

    def _swap(self, name: str) -> None:
        assert self._app is not None, "the supervisor lets a worker listen before it swaps"
        opened = self._take(name)
        before = self._app.generations.current.generation.manifest
        served = Served(opened.engine, opened.texts, self._settings, self._telemetry.metrics)
        self._app.generations.swap(served)
        self._telemetry.answers_no_more_from(before)
        self._telemetry.answers_from(opened.engine.generation.manifest)

    def _take(self, name: str) -> _Opened:
        if name not in self._open:
            raise NotOpenError(name)
        return self._open.pop(name)


async def work(
    settings: Settings,
    end: socket.socket,
    read: Read,
    telemetry: Telemetry,
    sharing: Sharing | None,
) -> None:
    """Answer the supervisor until it closes its end, then drain."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The supervisor hears of these too, and drains its workers.
        loop.add_signal_handler(number, lambda: None)
    worker = Worker(settings, read, telemetry, sharing)
    await answer_all(end, worker.answer)
    await worker.drain()


def main(arguments: list[str], *, read: Read = read_generation) -> int:
    """Run a worker: the number of its end's file, its own number, then the flags of the server."""
    end = socket.socket(fileno=int(arguments[0]))
    settings = CliApp.run(Settings, cli_args=arguments[2:])
    number, folder = int(arguments[1]), folder_of_run()
    sharing = None
    if folder is not None:
        sharing = Sharing(folder / CALLERS_FILE, number, settings.workers)
    with Telemetry(settings.telemetry, worker=number, folder=folder) as telemetry:
        kernels.load()
        message_cost.load()
        set_aside()
        sys.setswitchinterval(SWITCH_S)
        asyncio.run(work(settings, end, read, telemetry, sharing))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
