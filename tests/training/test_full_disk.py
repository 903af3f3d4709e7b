"""Every stage on a disk that is full, and the same command after room was made."""

import subprocess
import sys
from pathlib import Path

from features.full_disk import NO_ROOM
from tests.support.mounts import UNSHARED, needs_mounts
from tests.training.run_on_small_disk import SIZES

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "tests.training.run_on_small_disk"


@needs_mounts
def test_full_disk_is_told_in_one_line_and_the_same_command_goes_on(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    command = [*UNSHARED, sys.executable, "-m", PROGRAM, str(tmp_path / "data"), str(small)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    lines = done.stderr.splitlines()
    ended = [line.removeprefix("ended: ") for line in lines if line.startswith("ended: ")]
    assert ended == [
        *[f"training {NO_ROOM}"] * len(SIZES),
        "training 0",
        f"export {NO_ROOM}",
        "left ['.lock']",
        "export 0",
        f"evaluate {NO_ROOM}",
        "evaluate 0",
    ], done.stderr
    assert "Traceback" not in done.stderr
    before = [
        lines[number - 1] for number, line in enumerate(lines) if line.endswith(f" {NO_ROOM}")
    ]
    for line in before:
        assert "the disk is full (" in line, line
        assert line.endswith("; make room there and run the same command again")
    working = [
        lines[number - 2]
        for number, line in enumerate(lines)
        if line == f"ended: training {NO_ROOM}"
    ]
    assert [line.split(":")[0] for line in working] == [
        "dataset",
        "graph",
        "text",
        "foundation",
        "adaptation",
    ]
