"""A supervisor with real worker processes over generations of the tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

from server.supervision import trying
from server.supervision.process import Programs
from server.supervision.supervisor import Supervisor
from tests.server.serve_tiny import TINY
from tests.server.support import make_settings
from tests.support.generation import write_tiny_output

FLAGS = ("--featurizer", "none", "--drain-wait-s", "0", "--security.authentication", "off")


@asynccontextmanager
async def supervising(
    out: Path,
    *,
    workers: int = 2,
    trials_make_way: bool = False,
    programs: Programs = TINY,
    **supervision: float,
) -> AsyncIterator[Supervisor]:
    """Run a server of several processes for as long as the block lasts.

    Trials compete with whatever else runs, unless they are asked to make way: beside other tests,
    which keep every core busy, that takes several times as long.
    """
    flags = ["--generation", str(out), "--workers", str(workers), *FLAGS]
    settings = make_settings(
        generation=out, workers=workers, featurizer="none", watch_s=0.05, supervision=supervision
    )
    supervisor = Supervisor(settings, flags, programs)
    await supervisor.start()
    with nullcontext() if trials_make_way else patch.object(trying, "_make_way"):
        try:
            yield supervisor
        finally:
            await supervisor.stop()


def two_generations(out: Path) -> tuple[str, str]:
    """Write two generations into an output folder; the first is current."""
    second = write_tiny_output(out, seed=8).name
    first = write_tiny_output(out, seed=7).name
    return first, second


def damage(out: Path, name: str, file: str) -> None:
    """Change a byte of a generation's file."""
    path = out / "generations" / name / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def drop(out: Path, link: Path, name: str) -> None:
    """Point a link to another generation, as `python -m export` does: at once."""
    fresh = out / ".fresh"
    fresh.symlink_to(Path("generations") / name)
    fresh.replace(link)
