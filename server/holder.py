"""The generation that answers, those that still finish what they began, and the step between."""

import asyncio
import contextlib
import ctypes
import gc
import logging
from typing import Any

from server.hit_options import page_token
from server.methods import Method
from server.pages import generation_of
from server.served import Served
from server.surround import Answer, Later

log = logging.getLogger(__name__)


class Holder:
    """Holds one generation that answers and any number that finish; for one event loop."""

    def __init__(self, served: Served, *, page_hold_s: float) -> None:
        self.current = served
        self._page_hold_s = page_hold_s
        self._hurry = asyncio.Event()
        self._paging: Served | None = None
        """What still gives the next pages of its lists."""
        self._leaving: dict[asyncio.Task[None], Served] = {}

    @property
    def finishing(self) -> tuple[str, ...]:
        """Names of the generations that are not let go of yet."""
        return tuple(served.name for served in self._leaving.values())

    def answer(self, method: Method, request: Any) -> Answer | Later:  # noqa: ANN401
        """Answer a call from the generation of this moment.

        A page of a list that the generation before began is cut by that one, while it is held; the
        current one says of others that they have expired.
        """
        name, served = generation_of(page_token(request)), self.current
        if name not in {None, served.name} and self._paging and self._paging.name == name:
            served = self._paging
        return served.answer(method, request)

    def swap(self, served: Served) -> None:
        """Let another generation answer from the next call on.

        What was begun on the old one is finished there, and so are the pages of its lists, for
        `page_hold_s` or until another swap; then it is closed and its memory given back.
        """
        old, self.current = self.current, served
        log.info("generation %s answers instead of %s", served.name, old.name)
        self._hurry.set()
        self._hurry = asyncio.Event()
        self._paging = old
        leaving = asyncio.get_running_loop().create_task(self._let_go(old, self._hurry))
        self._leaving[leaving] = old
        leaving.add_done_callback(self._leaving.pop)

    async def close(self) -> None:
        """Close every generation."""
        leaving = dict(self._leaving)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*(each.close() for each in (self.current, *leaving.values())))

    async def _let_go(self, old: Served, hurry: asyncio.Event) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(hurry.wait(), self._page_hold_s)
        if self._paging is old:
            self._paging = None
        await old.finished()
        await old.close()
        log.info("generation %s is let go of", old.name)
        del old
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.run_in_executor, None, give_back)  # once this task is gone as well


def give_back() -> None:
    """Free what nothing refers to any more, down to the system's own allocator.

    Off the event loop: the allocator looks at all it has, tens of milliseconds long, without
    Python's lock.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it
    if trim is not None:
        trim(0)


def set_aside() -> None:
    """Let collections pass over all that there is: modules, before a generation is opened.

    They are some hundred thousand objects and stay for good. `give_back` holds Python's lock
    meanwhile, and looking at each of them held up every call for a tenth of a second and more.
    What numba imports when a kernel is first called is a third of them, so that comes first.
    """
    gc.collect()
    gc.freeze()
