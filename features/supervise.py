"""Runs a command until it ends or until whoever started this process is gone, then cleans up.

The starter holds the other end of standard input. When that pipe closes, be it on purpose or
because the starter was killed, the command and everything it started are ended. Run as a script
by `vllm_process`; needs nothing but the standard library.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

_POLL_S = 0.1


def supervise(grace_s: float, command: list[str]) -> int:
    """Run `command` in this process's group and return its exit status.

    The process must lead a group of its own, which is emptied before returning: first by
    SIGTERM, then, after `grace_s` seconds, by SIGKILL.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_heed_signals)
    starter_gone = threading.Event()
    threading.Thread(target=_wait_for_end, args=(starter_gone,), daemon=True).start()
    while child.poll() is None and not starter_gone.wait(_POLL_S):
        pass
    _empty_group(child, grace_s)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _heed_signals() -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _wait_for_end(starter_gone: threading.Event) -> None:
    # Not sys.stdin: its lock, held by this thread, would upset the interpreter's end.
    while os.read(0, 1):
        pass
    starter_gone.set()


def _empty_group(child: "subprocess.Popen[bytes]", grace_s: float) -> None:
    os.killpg(0, signal.SIGTERM)  # this process ignores it
    deadline = time.monotonic() + grace_s
    while (child.poll() is None or _others()) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    while others := _others():  # again and again: they may have started more meanwhile
        for process in others:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(_POLL_S / 10)
        child.poll()
    child.wait()


def _others() -> list[int]:
    """Return the other live processes of this group, orphans included; zombies do not count."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, group = stat.rpartition(")")[2].split()[:3]
        process = int(entry.parent.name)
        if int(group) == os.getpgrp() and process != os.getpid() and state != "Z":
            found.append(process)
    return found


if __name__ == "__main__":
    sys.exit(supervise(float(sys.argv[1]), sys.argv[2:]))
