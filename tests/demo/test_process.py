import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from demo.process import Command, CommandError, free_port, run

ROOT = Path(__file__).parents[2]
TELL_AND_SLEEP = (
    "import os, pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid()));"
    " time.sleep(60)"
)


def pid_in(file: Path) -> int:
    """Wait until a command has written its process id."""
    for _ in range(200):
        if file.is_file() and file.read_text():
            return int(file.read_text())
        time.sleep(0.05)
    raise TimeoutError(f"nothing in {file}")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_command_ends_with_its_block(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    with Command([sys.executable, "-c", TELL_AND_SLEEP, str(file)]) as command:
        pid = pid_in(file)
        assert is_alive(pid)
        assert not command.has_ended
    assert not is_alive(pid)


def test_a_command_ends_when_an_exception_leaves_the_block(tmp_path: Path) -> None:
    file = tmp_path / "pid"

    def interrupted() -> None:
        with Command([sys.executable, "-c", TELL_AND_SLEEP, str(file)]):
            pid_in(file)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not is_alive(pid_in(file))


def test_a_command_ends_when_its_starter_is_killed(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    starter = (
        "import sys, time; from demo.process import Command\n"
        f"with Command([sys.executable, '-c', {TELL_AND_SLEEP!r}, {str(file)!r}]): time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], cwd=ROOT)
    pid = pid_in(file)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for _ in range(100):
        if not is_alive(pid):
            break
        time.sleep(0.1)
    assert not is_alive(pid)


def test_a_failed_command_tells_its_name_and_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    code = "print('port 1 is in use'); raise SystemExit(3)"
    with (
        Command([sys.executable, "-c", code], log=log) as command,
        pytest.raises(
            CommandError, match=r"(?s)-c print.* status 3; .*server\.log.*port 1 is in use"
        ),
    ):
        command.wait()


def test_running_a_command_waits_for_it(tmp_path: Path) -> None:
    file = tmp_path / "done"
    run("-c", f"import pathlib, time; time.sleep(0.2); pathlib.Path({str(file)!r}).touch()")
    assert file.exists()


def test_running_a_command_that_fails_raises() -> None:
    with pytest.raises(CommandError, match="status 2"):
        run("-c", "raise SystemExit(2)")


def test_a_free_port_is_not_the_last_one_again() -> None:
    assert len({free_port() for _ in range(5)}) > 1
