"""One process that serves a generation, without logs and metrics, to compare ways to compute.

python -m benchmarks.serving.bare PORT GENERATION KIND BATCH_WAIT_US

KIND is `inline`, where micro-batches are computed on the event loop itself, or a number of threads.
"""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from unittest.mock import patch

from export.generation import read
from server.app import App
from server.batcher import SWITCH_S
from server.security.settings import SecuritySettings
from server.settings import Settings
from server.supervision.opening import open_engine

INLINE = "inline"

T = TypeVar("T")


class Inline(Executor):
    """Runs what it is given at once, where it is given; in the place of a pool of threads."""

    def __init__(self, *_: object, **__: object) -> None:
        super().__init__()

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        """Run it."""
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


async def serve(port: int, generation: Path, kind: str, batch_wait_us: int) -> None:
    """Answer until the process is ended."""
    settings = Settings(
        generation=generation,
        port=port,
        featurizer="none",
        compute_threads=1 if kind == INLINE else int(kind),
        batch_wait_us=batch_wait_us,
        security=SecuritySettings(authentication="off"),
    )
    pool = Inline if kind == INLINE else ThreadPoolExecutor
    with patch("server.dispatch.ThreadPoolExecutor", pool):
        app = App(*open_engine(read(generation, verify=False), settings), settings)
    await app.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_S)
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
