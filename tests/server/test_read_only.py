"""A server whose checkout and home cannot be written to, only TMPDIR can."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from nearfield import Client
from tests.support.mounts import SEAL, UNSHARED, needs_mounts

ROOT = Path(__file__).resolve().parents[2]
CACHE = "XDG_CACHE_HOME"


@needs_mounts
def test_server_runs_where_nothing_but_tmpdir_can_be_written_to(
    folder: Path, tmp_path: Path
) -> None:
    home, lent = tmp_path / "home", tmp_path / "lent"
    home.mkdir()
    lent.mkdir()
    program = [sys.executable, "-W", "error", "-m", "tests.server.serve_tiny", "--port", "0"]
    program += ["--generation", str(folder), "--featurizer", "none"]
    program += ["--security.authentication", "off"]
    script = f'{SEAL}; cd "$1"; touch "$1/file" 2>/dev/null && exit 1; exec {shlex.join(program)}'
    command = [*UNSHARED, "sh", "-c", script, "sh", str(ROOT), str(home)]
    kept = {name: os.environ[name] for name in os.environ.keys() - {"NUMBA_CACHE_DIR", CACHE}}
    environment = kept | {"HOME": str(home), "TMPDIR": str(lent)}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if found := re.search(r"serving generation \w+ on (127\.0\.0\.1:\d+)", line):
                break
        try:
            assert found, lines
            with Client(found[1]) as client:
                assert client.recommend("user-1").hits
        finally:
            process.terminate()
            process.communicate()
    assert any("compiled code is kept in" in line for line in lines)
    assert list(lent.glob("nearfield-kernels-*/**/*.nbc"))
