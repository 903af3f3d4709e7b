"""How long the first commands take: `make demo` and `make test` in a fresh clone.

python -m benchmarks.first_minutes                     (with the environments of this checkout)
python -m benchmarks.first_minutes --environments new  (which pip installs anew each time)

Each run has a clone of its own, of what is committed, in a temporary folder. The table goes into
docs/performance.md.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
ENVIRONMENTS = (".venv", ".venv-vllm", ".venv-peers")


class RunError(Exception):
    """A command failed; the message names it and where its output is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Time each target, run by run, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_minutes",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--targets", nargs="+", default=["demo", "test"], help="of make; default: demo test")
    add("--runs", type=int, default=3, help="default: %(default)s")
    add("--environments", choices=("there", "new"), default="there", help="default: %(default)s")
    add("--log", type=Path, default=Path("var/first-minutes.log"), help="default: %(default)s")
    options = parser.parse_args(arguments)
    log = options.log.resolve()
    log.parent.mkdir(parents=True, exist_ok=True)
    numbers = range(1, options.runs + 1)
    print(f"| command | {' | '.join(f'run {number}' for number in numbers)} |", flush=True)
    print(f"|---|{'---:|' * options.runs}")
    try:
        for target in options.targets:
            print(f"| `make {target}`", end="", flush=True)
            for _ in numbers:
                taken_s = timed(target, log, linked=options.environments == "there")
                print(f" | {written(taken_s)}", end="", flush=True)
            print(" |")
    except RunError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    return 0


def timed(target: str, log: Path, *, linked: bool, checkout: Path = CHECKOUT) -> float:
    """Clone, make one target there and return the seconds that make took.

    Raises:
        RunError: the clone or the target failed.
    """
    with tempfile.TemporaryDirectory(prefix="nearfield-") as beside:
        clone = Path(beside) / "nearfield"
        run(["git", "clone", "--quiet", "--no-local", str(checkout), str(clone)], log)
        command = ["make", "--directory", str(clone), target]
        if linked:
            command += link_environments(clone, checkout)
        began = time.monotonic()
        run(command, log)
        return time.monotonic() - began


def link_environments(clone: Path, checkout: Path) -> list[str]:
    """Link the environments that there are into the clone.

    Returns what tells make that they are complete, though its requirements are younger files.
    """
    told = []
    for name in ENVIRONMENTS:
        there = checkout / name
        if not there.exists():
            continue
        (clone / name).symlink_to(there.resolve(), target_is_directory=True)
        told += [f"--assume-old={name}/{stamp.name}" for stamp in there.glob(".installed-*")]
    return told


def run(command: Sequence[str], log: Path) -> None:
    """Run a command with its output in the log.

    Raises:
        RunError: it failed.
    """
    with log.open("ab") as output:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    if done.returncode != 0:
        raise RunError(f"{' '.join(command)} ended with status {done.returncode}; see {log}")


def written(seconds: float) -> str:
    """Write minutes and seconds as the docs do."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


if __name__ == "__main__":
    sys.exit(main())
