"""The server as a process: exit statuses, a drain on SIGTERM, damaged generations."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from nearfield.v1 import embedding_pb2
from nearfield.v1.embedding_pb2_grpc import EmbeddingServiceStub
from server.__main__ import main
from server.exit_codes import CANNOT_LISTEN, CANNOT_START, WRONG_GENERATION, WRONG_SETTINGS
from tests.server.serve_tiny import TINY

ROOT = Path(__file__).resolve().parents[2]
OPEN = "NEARFIELD_SECURITY__AUTHENTICATION"
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), OPEN: "off"}


@dataclass(frozen=True)
class Ended:
    """How a run ended that never came to serve."""

    status: int
    complaint: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _open_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(OPEN, "off")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the program in this process; it must fail to start."""

    def ended(*arguments: str) -> Ended:
        status = main([*arguments])
        return Ended(status, capfd.readouterr().err)

    return ended


@pytest.fixture
def run_tiny(capfd: pytest.CaptureFixture[str]) -> Run:
    """Like `run`, over a generation that the program itself would not take."""

    def ended(folder: Path, *arguments: str) -> Ended:
        given = ("--generation", str(folder), "--featurizer", "none", "--port", "0")
        status = main([*given, *arguments], programs=TINY)
        return Ended(status, capfd.readouterr().err)

    return ended


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the server until the block ends, and give its process and port."""
    command = [sys.executable, "-W", "error", "-m", "tests.server.serve_tiny"]
    command += ["--generation", str(folder), "--port", "0", "--drain-wait-s", "0", *arguments]
    process = subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process, _port(process)
    finally:
        process.kill()
        process.communicate()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.search(r"serving generation \w+ on 127\.0\.0\.1:(\d+)", line):
            return int(found[1])
    raise AssertionError(f"the server ended with status {process.wait()} before it served")


def test_help_explains_every_setting() -> None:
    command = [sys.executable, "-W", "error", "-m", "server", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for words in ("--generation", "--limits.max-k", "NEARFIELD_", "vllm", "Exit status"):
        assert words in done.stdout


def test_missing_and_wrong_settings_are_named(run: Run) -> None:
    done = run("--port", "70000")
    assert done.status == WRONG_SETTINGS
    assert "--generation: Field required" in done.complaint
    assert "--port: Input should be less than or equal to 65535" in done.complaint


def test_settings_that_contradict_each_other_are_named(run: Run) -> None:
    given = ("--generation", "unused", "--featurizer", "none")
    done = run(*given, "--fallback-featurizer", "onnx_text", "--limits.max-k", "5")
    assert done.status == WRONG_SETTINGS
    assert "--fallback-featurizer: expected none, because featurizer is none" in done.complaint
    assert "--limits.default-k: expected at most max_k, which is 5, got 10" in done.complaint


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_drains_and_ends_with_status_0(folder: Path, number: signal.Signals) -> None:
    with serving(folder, "--featurizer", "none") as (process, port):
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            answer = EmbeddingServiceStub(channel).EmbedItem(
                embedding_pb2.EmbedItemRequest(item_id="podcast-01"), timeout=10
            )
            assert answer.embedding.item_id == "podcast-01"
            process.send_signal(number)
            assert process.wait(20) == 0
        assert process.stderr is not None
        assert "stopped" in process.stderr.read()


def test_server_starts_and_serves_known_items_while_vllm_is_away(folder: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        with (
            serving(folder, "--vllm-url", url, "--vllm-model", "m") as (_, port),
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            stub = EmbeddingServiceStub(channel)
            known = embedding_pb2.EmbedItemRequest(item_id="podcast-01")
            assert stub.EmbedItem(known, timeout=10).embedding.item_id == "podcast-01"
            new = embedding_pb2.EmbedItemRequest()
            new.new_item.item_type = "podcast"
            new.new_item.title = "Out today"
            with pytest.raises(grpc.RpcError) as caught:
                stub.EmbedItem(new, timeout=10)
            assert isinstance(caught.value, grpc.Call)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_port_in_use_is_told_and_leaves_with_its_own_status(folder: Path, run_tiny: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run_tiny(folder, "--port", port)
    assert done.status == CANNOT_LISTEN
    assert f"127.0.0.1:{port}" in done.complaint


def test_host_name_that_does_not_resolve_is_told_before_anything_else(
    folder: Path, run_tiny: Run
) -> None:
    for flag in ("--host", "--admin-host"):
        done = run_tiny(folder, "--admin-port", "0", flag, "nobody.invalid")
        assert done.status == CANNOT_LISTEN
        assert "nobody.invalid: the host name does not resolve" in done.complaint
        assert done.complaint.count("\n") == 1


def test_operators_are_served_on_loopback_unless_said_otherwise(
    folder: Path, run_tiny: Run
) -> None:
    flags = ("--admin-port", "0", "--security.authentication", "off")
    done = run_tiny(folder, *flags, "--admin-host", "0.0.0.0")
    assert done.status == WRONG_SETTINGS
    assert "0.0.0.0 is reached from other machines" in done.complaint


def test_onnx_text_without_its_folder_cannot_start(folder: Path, run_tiny: Run) -> None:
    done = run_tiny(folder, "--featurizer", "onnx_text")
    assert done.status == CANNOT_START
    assert "--onnx-text-folder" in done.complaint


def test_cuda_that_is_insisted_on_and_missing_cannot_start(folder: Path, run_tiny: Run) -> None:
    done = run_tiny(folder, "--execution-provider", "cuda")
    assert done.status == CANNOT_START
    assert "execution_provider is cuda" in done.complaint


def test_generation_of_a_fake_featurizer_is_refused(folder: Path, run: Run) -> None:
    done = run("--generation", str(folder))
    assert done.status == WRONG_GENERATION
    assert "must not serve" in done.complaint


def test_missing_generation_is_named(tmp_path: Path, run: Run) -> None:
    done = run("--generation", str(tmp_path / "nothing"))
    assert done.status == WRONG_GENERATION
    assert "nothing" in done.complaint


@pytest.mark.parametrize("name", ["hgnn.npy", "user_tower.onnx", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped"])
def test_damaged_generation_is_refused_and_the_file_named(
    folder: Path, tmp_path: Path, run_tiny: Run, name: str, damage: str
) -> None:
    copy = tmp_path / folder.name
    shutil.copytree(folder, copy)
    path = copy / name
    data = bytearray(path.read_bytes())
    match damage:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_bytes(data[: len(data) // 2])
        case "flipped":
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
    done = run_tiny(copy)
    assert done.status == WRONG_GENERATION
    assert name in done.complaint


def test_call_under_way_is_answered_before_the_process_ends(folder: Path) -> None:
    people = [embedding_pb2.EmbedUserRequest() for _ in range(256)]
    for each in people:
        each.user.user_id = "user-1"
        for place in range(300):
            each.user.history.add(item_id=f"podcast-{place % 30:02d}")
    with (
        serving(folder, "--featurizer", "none") as (process, port),
        grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        call = EmbeddingServiceStub(channel).BatchEmbedUsers.future(
            embedding_pb2.BatchEmbedUsersRequest(requests=people), timeout=30
        )
        time.sleep(0.05)
        process.terminate()
        assert len(call.result().results) == 256
        assert process.wait(20) == 0
