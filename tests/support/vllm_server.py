"""Fixtures of real encoders: a vLLM server, and the same encoder exported to ONNX."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

import pytest

from features.errors import EncoderFilesError
from features.model_files import find_packaged_encoder, vllm_python
from features.vllm_process import VllmProcess, VllmProcessSettings
from tests.support.once import made_once, run_folder

URL_VARIABLE = "NEARFIELD_VLLM_URL"
"""Environment variable: address of a vLLM server that already runs, `/v1` included."""

NEEDED_VARIABLE = "NEARFIELD_ENCODERS_NEEDED"
"""Environment variable: 1 makes the lack of a real encoder a failure; `make test` sets it."""

ROOT = Path(__file__).resolve().parents[2]
EXPORT = """
import sys
from pathlib import Path
from export.text_encoder import export_text_encoder
export_text_encoder(Path(sys.argv[1]), Path(sys.argv[2]))
"""
"""In a process of its own, so that tests which need no torch do not load it."""


class HasAddress(Protocol):
    """A server that runs."""

    @property
    def base_url(self) -> str:
        """Where it answers."""
        ...


SLOW_FIXTURES = {"vllm_url", "onnx_encoder"}
START_TIMEOUT_S = 420
TEST_TIMEOUT_S = 600


@pytest.fixture(scope="session")
def vllm_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a real vLLM server: the named one, else one for all test processes."""
    named = os.environ.get(URL_VARIABLE)
    if named:
        yield named
        return
    python = vllm_python()
    if not python.exists():
        absent(f"there is no vLLM: no Python at {python}, and {URL_VARIABLE} is not set")
    settings = VllmProcessSettings(python=python, start_timeout_s=START_TIMEOUT_S)
    with shared(run_folder(tmp_path_factory), "vllm", lambda: VllmProcess(settings)) as url:
        yield url


@contextmanager
def shared(
    folder: Path, name: str, start: Callable[[], AbstractContextManager[HasAddress]]
) -> Iterator[str]:
    """Start a server in the first process that asks, for all that do, and yield its address.

    The process that started it ends it, once no other uses it.
    """
    address = folder / f"{name}.url"
    with (folder / f"{name}.users").open("a") as users, ExitStack() as mine:
        with (folder / f"{name}.lock").open("a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)  # given back when the file is closed
            fcntl.flock(users, fcntl.LOCK_SH)
            if not address.exists():
                process = mine.enter_context(start())
                mine.callback(fcntl.flock, users, fcntl.LOCK_EX)  # waits for all other users
                mine.callback(address.unlink)
                address.write_text(process.base_url, encoding="utf-8")
            url = address.read_text(encoding="utf-8")
        yield url


@pytest.fixture(scope="session")
def packaged_encoder() -> Path:
    """Give the folder of the encoder's own files."""
    try:
        return find_packaged_encoder()
    except EncoderFilesError as error:
        absent(f"there is no encoder: {error}")


@pytest.fixture(scope="session")
def onnx_encoder(packaged_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the encoder exported to ONNX, made once for all test processes."""

    def export(folder: Path) -> None:
        arguments = [str(packaged_encoder), str(folder / "all-MiniLM-L6-v2")]
        command = [sys.executable, "-c", EXPORT, *arguments]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.fail(f"the encoder was not exported:\n{done.stderr[-3000:]}", pytrace=False)

    return made_once(run_folder(tmp_path_factory) / "encoder", export) / "all-MiniLM-L6-v2"


def absent(reason: str) -> NoReturn:
    """Skip for lack of a real encoder, except where one has to be there: then fail."""
    if os.environ.get(NEEDED_VARIABLE) == "1":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def give_time(items: list[pytest.Item]) -> None:
    """Mark tests that need a real vLLM, and give those with real encoders time to start them."""
    for item in items:
        needed = SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
        if needed:
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))
        if "vllm_url" in needed:
            item.add_marker(pytest.mark.vllm)
