"""Commands that live no longer than the demo, whichever way the demo ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from features import supervise

GRACE_S = 30.0
"""Seconds that a command gets to end by itself; the server drains within them."""

_CHECKOUT = Path(__file__).parents[1]


class CommandError(Exception):
    """A command failed; the message has its name and where it told why."""


class Command:
    """Context manager: a command in a process group of its own, ended with the `with` block.

    It also ends when this process is killed in whatever way: a supervisor notices that the pipe to
    its standard input closes. Keys pressed at the terminal reach this process alone.
    """

    def __init__(self, command: Sequence[str], *, log: Path | None = None) -> None:
        """Prepare `command`; its output goes to `log`, or where ours goes."""
        self.command = list(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        supervisor = [sys.executable, supervise.__file__, str(GRACE_S)]
        output: IO[bytes] | None = None
        if self.log is not None:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            output = self.log.open("wb")
        try:
            self._process = subprocess.Popen(
                [*supervisor, *self.command],
                cwd=_CHECKOUT,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if output else None,
                start_new_session=True,
            )
        finally:
            if output is not None:
                output.close()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        process = self._started
        assert process.stdin is not None
        process.stdin.close()  # tells the supervisor
        try:
            process.wait(GRACE_S + 5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def has_ended(self) -> bool:
        """Whether the command is over, by itself or not."""
        return self._started.poll() is not None

    def wait(self) -> None:
        """Wait until the command ends by itself.

        Raises:
            CommandError: it failed.
        """
        status = self._started.wait()
        if status != 0:
            raise CommandError(self._describe(f"ended with status {status}"))

    def failure(self, what: str) -> CommandError:
        """Make the error that says what happened to the command, with the end of its log."""
        return CommandError(self._describe(what))

    def _describe(self, what: str) -> str:
        name = " ".join(self.command[1:3])
        if self.log is None:
            return f"{name} {what}"
        tail = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        return "\n".join([f"{name} {what}; the end of {self.log}:", *tail])

    @property
    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise CommandError(self._describe("has not been started"))
        return self._process


def run(*arguments: str) -> None:
    """Run a module of ours by this interpreter and wait for it.

    Raises:
        CommandError: it failed; its own words went to standard error.
    """
    with Command([sys.executable, *arguments]) as command:
        command.wait()


def free_port() -> int:
    """Find a port of 127.0.0.1 on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
