"""The whole path, once, in front of your eyes: MovieLens -> vLLM -> generation -> server -> SDK.

What it makes stays in the folder `var`, so that a second run only shows.
"""

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from demo import movielens
from demo.editions import DEFAULT, EDITIONS, Edition
from demo.process import Command, CommandError, free_port, run
from demo.show import Screens
from demo.story import Data, pick_person, three_more
from features.errors import FeatureError
from features.vllm_process import VllmProcess, VllmProcessSettings
from nearfield import Client, NearfieldError

SERVER_START_S = 120.0
"""Longest wait for the server's first answer."""


def main() -> int:
    """Run `python -m demo.run`; 0 when everything was shown."""
    parser = argparse.ArgumentParser(prog="python -m demo.run", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where results are kept")
    parser.add_argument(
        "--size", choices=list(EDITIONS), default=DEFAULT, help="of MovieLens; default: %(default)s"
    )
    parser.add_argument(
        "--settings",
        type=Path,
        help="hyperparameters, as of python -m training; default: those of the size, see demo/",
    )
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    console = Console(width=120 if not sys.stdout.isatty() else None)
    try:
        tour(options.folder.resolve(), EDITIONS[options.size], options.settings, console)
    except (movielens.MovieLensError, FeatureError, CommandError, NearfieldError) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: interrupted; the same command goes on from here")
        return 130
    return 0


def tour(folder: Path, edition: Edition, settings: Path | None, console: Console) -> None:
    """Build what is not there yet, serve it, and show it.

    Raises:
        MovieLensError: the data set could not be had.
        FeatureError: vLLM did not start.
        CommandError: a stage or the server failed.
        NearfieldError: the server answered with an error.
    """
    started = time.monotonic()
    data = movielens.prepare(edition, folder / edition.folder, folder / "downloads")
    out = folder / edition.demo_folder
    with vllm(console) as vllm_url:
        console.print("building a generation; what has not changed is not made again")
        generation = build(data, out, settings or edition.settings, vllm_url)
        with served(generation, out / "server.log", vllm_url, console) as client:
            show(Screens(console, client), Data.read(data))
    console.print(
        f"\nAll of it in {time.monotonic() - started:.0f} s; what was built is in {folder}."
    )


def show(screens: Screens, data: Data) -> None:
    """Show the screens in their order."""
    person = pick_person(data)
    screens.server()
    before = screens.person(person)
    screens.new_item()
    screens.after_three_more(person, three_more(data, person), before)


@contextmanager
def vllm(console: Console) -> Iterator[str]:
    """Start vLLM, yield its address and end it."""
    with ExitStack() as stack:
        with console.status("vLLM starts") as status:
            process = VllmProcess(
                VllmProcessSettings(),
                on_wait=lambda passed_s: status.update(f"vLLM starts: {passed_s:.0f} s"),
            )
            stack.enter_context(process)
        console.print(f"vLLM serves {process.settings.model} at {process.base_url}")
        yield process.base_url


def build(data: Path, folder: Path, settings: Path | None, vllm_url: str) -> Path:
    """Build a generation, but for the stages that are current, and return its folder.

    Raises:
        CommandError: a stage failed.
    """
    run_folder = str(folder / "run")
    run(
        *("-m", "training", "all", "--data", str(data), "--run", run_folder),
        *("--vllm-url", vllm_url),
        *(("--settings", str(settings.resolve())) if settings else ()),
    )
    run("-m", "export", "--run", run_folder, "--out", str(folder))
    return folder / "current"


@contextmanager
def served(generation: Path, log: Path, vllm_url: str, console: Console) -> Iterator[Client]:
    """Start the server, yield a client of it and end both.

    Raises:
        CommandError: the server ended, or did not answer in time.
    """
    port = free_port()
    flags = {
        "--generation": str(generation),
        "--port": str(port),
        "--vllm-url": vllm_url,
        "--security.authentication": "off",  # this machine alone reaches the port
    }
    command = [sys.executable, "-m", "server", *(part for flag in flags.items() for part in flag)]
    with Command(command, log=log) as server, Client(f"127.0.0.1:{port}") as client:
        with console.status("the server starts"):
            wait_for_answer(server, client)
        yield client


def wait_for_answer(server: Command, client: Client) -> None:
    """Wait until the server answers.

    Raises:
        CommandError: it ended, or did not answer in `SERVER_START_S`.
    """
    deadline = time.monotonic() + SERVER_START_S
    while time.monotonic() < deadline:
        if server.has_ended:
            raise server.failure("ended before it answered")
        try:
            client.server_info(timeout_s=2)
        except NearfieldError:
            time.sleep(0.2)
        else:
            return
    raise server.failure(f"did not answer within {SERVER_START_S:.0f} s")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main())
