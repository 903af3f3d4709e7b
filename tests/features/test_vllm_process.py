"""The life of the server's processes, on a stand-in for vLLM that starts at once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from features.errors import VllmProcessError
from features.vllm_process import VllmProcess, VllmProcessSettings, server_environment

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import http.server, subprocess, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
subprocess.Popen(["sleep", "600"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
BROKEN = "print('no weights in sight')\nraise SystemExit(3)\n"
SILENT = "import time\ntime.sleep(600)\n"


Make = Callable[[str], VllmProcessSettings]


@pytest.fixture
def stand_in(tmp_path: Path) -> Make:
    """Settings whose "python" runs the given program, whatever it is told to run."""

    def make(program: str) -> VllmProcessSettings:
        source = tmp_path / "stand_in.py"
        source.write_text(program)
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{source}" "$@"\n')
        python.chmod(0o755)
        return VllmProcessSettings(
            python=python, encoder=tmp_path, start_timeout_s=30, stop_timeout_s=5
        )

    return make


def group(leader: int) -> list[int]:
    """Live processes of a group; the dead that nobody has waited for do not count."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = entry.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        state, _, group_of = stat.rpartition(")")[2].split()[:3]
        if int(group_of) == leader and state != "Z":
            found.append(int(entry.parent.name))
    return found


def wait_until_gone(leader: int) -> None:
    deadline = time.monotonic() + 20
    while group(leader) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert group(leader) == []


def test_it_serves_inside_the_block_and_leaves_nothing_behind(stand_in: Make) -> None:
    with VllmProcess(stand_in(SERVER)) as process:
        leader = process.pid
        assert httpx.get(process.base_url, trust_env=False).status_code == 200
        assert len(group(leader)) == 3
        assert leader != os.getpgid(0)
    assert group(leader) == []
    with pytest.raises(httpx.ConnectError):
        httpx.get(process.base_url, trust_env=False)


def test_an_error_inside_the_block_ends_it_too(stand_in: Make) -> None:
    seen: list[int] = []

    def interrupted() -> None:
        with VllmProcess(stand_in(SERVER)) as process:
            seen.append(process.pid)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [group(leader) for leader in seen] == [[]]


def test_a_server_that_ignores_the_request_to_end_is_killed(stand_in: Make) -> None:
    settings = replace(stand_in(STUBBORN + SERVER), stop_timeout_s=0.5)
    with VllmProcess(settings) as process:
        leader = process.pid
    assert group(leader) == []


def test_a_server_that_ends_while_starting_shows_its_last_words(stand_in: Make) -> None:
    with (
        pytest.raises(VllmProcessError, match=r"ended while starting.*\n.*no weights in sight"),
        VllmProcess(stand_in(BROKEN)),
    ):
        pass


def test_a_server_that_never_gets_healthy_is_ended(stand_in: Make) -> None:
    waited: list[float] = []
    source = stand_in(f"import os\nprint('group', os.getpgid(0), flush=True)\n{SILENT}")
    settings = replace(source, start_timeout_s=5)
    with (
        pytest.raises(VllmProcessError, match="not healthy after 5 s") as caught,
        VllmProcess(settings, on_wait=waited.append),
    ):
        pass
    assert group(int(str(caught.value).split("group ")[1])) == []
    assert waited == sorted(waited)
    assert len(waited) > 1


def test_a_port_in_use_is_refused_not_reused(stand_in: Make) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = int(other.getsockname()[1])
        with (
            pytest.raises(VllmProcessError, match=f"port {port} on 127.0.0.1 is in use"),
            VllmProcess(replace(stand_in(SERVER), port=port)),
        ):
            pass


def test_without_vllms_python_it_says_where_it_looked(tmp_path: Path) -> None:
    settings = VllmProcessSettings(python=tmp_path / "python")
    with (
        pytest.raises(VllmProcessError, match=f"no Python with vLLM at {tmp_path}"),
        VllmProcess(settings),
    ):
        pass


def test_outside_the_block_there_is_no_process(stand_in: Make) -> None:
    with pytest.raises(VllmProcessError, match="not running"):
        assert VllmProcess(stand_in(SERVER)).pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_its_starter_is_killed(stand_in: Make, number: signal.Signals) -> None:
    settings = stand_in(SERVER)
    program = f"""
import signal, time
from pathlib import Path
from features.vllm_process import VllmProcess, VllmProcessSettings
for number in (signal.SIGTERM, signal.SIGHUP):  # ignored under nohup
    signal.signal(number, signal.SIG_DFL)
settings = VllmProcessSettings(python=Path({str(settings.python)!r}), encoder=Path("."))
with VllmProcess(settings) as process:
    print(process.pid, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        leader = int(starter.stdout.readline())
        assert len(group(leader)) == 3
        starter.send_signal(number)
    assert starter.returncode == -number
    wait_until_gone(leader)


def test_the_server_never_goes_online_and_takes_little_memory_on_a_cpu() -> None:
    environment = server_environment({"PATH": "here"}, on_gpu=False)
    assert environment["PATH"] == "here"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert environment["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"


def test_on_a_gpu_no_variable_for_a_cpu_is_set() -> None:
    assert set(server_environment({}, on_gpu=True)) == {"HF_HUB_OFFLINE", "VLLM_NO_USAGE_STATS"}


@pytest.mark.parametrize("name", ["VLLM_CPU_KVCACHE_SPACE", "VLLM_ENABLE_V1_MULTIPROCESSING"])
def test_what_the_user_set_stays(name: str) -> None:
    assert server_environment({name: "4"}, on_gpu=False)[name] == "4"


def test_variable_that_is_empty_is_as_one_that_is_not_set() -> None:
    assert server_environment({"VLLM_CPU_KVCACHE_SPACE": ""}, on_gpu=False) == server_environment(
        {}, on_gpu=False
    )


def test_the_command_names_model_limit_format_and_address(stand_in: Make) -> None:
    program = "import sys\nprint('words:', *sys.argv[1:])\nraise SystemExit(1)\n"
    with pytest.raises(VllmProcessError) as caught, VllmProcess(stand_in(program)):
        pass
    words = str(caught.value).split("words:")[1]
    for part in (
        "-m vllm.entrypoints.openai.api_server",
        "--runner pooling",
        "--enforce-eager",
        "--max-model-len 256",
        "--served-model-name all-MiniLM-L6-v2",
        "--dtype float32",
        "--host 127.0.0.1",
    ):
        assert part in words
