"""`python -m server check` as a container runs it: a process of its own, against real servers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.check import NOT_SERVING, SERVING, WRONG_OPTIONS, main
from server.engine import Engine
from server.methods import SERVICES
from tests.server.security.support import Authority, put
from tests.server.support import running

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "pydantic", "onnxruntime", "numba", "polars", "tokenizers", "httpx", "server.app")
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("NEARFIELD_")},
    "http_proxy": "http://127.0.0.1:9",
}


@dataclass(frozen=True)
class Done:
    """How a check ended."""

    status: int
    said: str
    complained: str


def check(*arguments: str, **environment: str) -> Done:
    command = [sys.executable, "-W", "error", "-m", "server", "check", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Done(done.returncode, done.stdout, done.stderr)


async def checked(*arguments: str, **environment: str) -> Done:
    """Check, while this process goes on serving."""
    return await asyncio.to_thread(check, *arguments, **environment)


async def test_server_that_serves_is_said_to_in_one_line(engine: Engine) -> None:
    async with running(engine) as client:
        target = f"127.0.0.1:{client.app.port}"
        assert await checked("--target", target) == Done(SERVING, f"{target}: SERVING\n", "")


async def test_every_service_can_be_asked_for(engine: Engine) -> None:
    async with running(engine) as client:
        target = f"127.0.0.1:{client.app.port}"
        for service in SERVICES:
            done = await checked("--target", target, "--service", service)
            assert done.status == SERVING, done
        done = await checked("--target", target, "--service", "nearfield.v1.NoService")
    assert done.status == NOT_SERVING
    assert "NOT_FOUND" in done.said


async def test_environment_gives_what_the_command_does_not(engine: Engine) -> None:
    async with running(engine) as client:
        port = str(client.app.port)
        assert (await checked(NEARFIELD_PORT=port)).status == SERVING
        target = f"localhost:{port}"
        done = await checked(NEARFIELD_CHECK_TARGET=target, NEARFIELD_CHECK_TLS_CA="")
        assert done == Done(SERVING, f"{target}: SERVING\n", "")
        wrong = await checked("--service", "none", NEARFIELD_PORT=port)
    assert wrong.status == NOT_SERVING


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator["tuple[subprocess.Popen[bytes], str]"]:
    """Run a server, wait until it serves, and give its process and where it is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.server.serve_tiny", "--generation", str(folder)]
    command += ["--featurizer", "none", "--security.authentication", "off", "--port", str(port)]
    process = subprocess.Popen([*command, *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    target = f"127.0.0.1:{port}"
    try:
        await_status(target, SERVING)
        yield process, target
    finally:
        process.kill()
        process.wait()


def await_status(target: str, status: int) -> Done:
    """Check until the answer is this one."""
    until = time.monotonic() + 60
    done = check("--target", target)
    while done.status != status and time.monotonic() < until:
        done = check("--target", target)
    assert done.status == status, done
    return done


def test_server_that_drains_is_said_not_to_serve(folder: Path) -> None:
    with serving(folder, "--drain-wait-s", "60") as (process, target):
        process.send_signal(signal.SIGTERM)
        assert await_status(target, NOT_SERVING).said == f"{target}: NOT_SERVING\n"


def test_server_that_is_not_there_is_told_in_one_line() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        target = f"127.0.0.1:{nobody.getsockname()[1]}"
        done = check("--target", target)
    assert done.status == NOT_SERVING
    assert done.said.startswith(f"{target}: UNAVAILABLE: ")
    assert (done.said.count("\n"), done.complained) == (1, "")


def test_server_that_does_not_answer_is_not_waited_for_longer_than_asked() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        done = check("--target", f"127.0.0.1:{silent.getsockname()[1]}", "--timeout", "0.5")
    assert done.status == NOT_SERVING
    assert (done.said.count("\n"), done.complained) == (1, "")


async def test_over_tls_the_authority_and_the_name_have_to_fit(
    engine: Engine, tmp_path: Path
) -> None:
    authority, other = Authority("ours"), Authority("theirs")
    pair = authority.issue()
    ca, foreign = put(tmp_path / "ca.pem", authority.pem), put(tmp_path / "other.pem", other.pem)
    security = {
        "authentication": "off",
        "tls_cert": put(tmp_path / "server.pem", pair.chain),
        "tls_key": put(tmp_path / "server.key", pair.key),
    }
    async with running(engine, security=security) as client:
        given = ("--target", f"127.0.0.1:{client.app.port}", "--tls-ca")
        assert (await checked(*given, str(ca))).status == SERVING
        assert (await checked(*given, str(ca), "--tls-name", "localhost")).status == SERVING
        for refused in (
            await checked(*given[:2]),
            await checked(*given, str(foreign)),
            await checked(*given, str(ca), "--tls-name", "elsewhere.example"),
        ):
            assert refused.status == NOT_SERVING
            assert (refused.said.count("\n"), refused.complained) == (1, "")


async def test_with_mutual_tls_a_certificate_is_shown(engine: Engine, tmp_path: Path) -> None:
    authority = Authority("ours")
    pair, mine = authority.issue(), authority.issue("check", ())
    ca = put(tmp_path / "ca.pem", authority.pem)
    security = {
        "authentication": "off",
        "tls_cert": put(tmp_path / "server.pem", pair.chain),
        "tls_key": put(tmp_path / "server.key", pair.key),
        "tls_client_ca": ca,
    }
    shown = ["--tls-cert", str(put(tmp_path / "mine.pem", mine.chain))]
    shown += ["--tls-key", str(put(tmp_path / "mine.key", mine.key))]
    async with running(engine, security=security) as client:
        given = ("--target", f"127.0.0.1:{client.app.port}", "--tls-ca", str(ca))
        assert (await checked(*given, *shown)).status == SERVING
        assert (await checked(*given)).status == NOT_SERVING


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--nonsense",), "--nonsense"),
        (("--timeout", "0"), "expected seconds above 0, got 0"),
        (("--timeout", "nan"), "expected seconds above 0, got nan"),
        (("--timeout", "soon"), "--timeout"),
        (("--tls-name", "a"), "expected --tls-ca"),
        (("--tls-ca", "a", "--tls-cert", "b"), "expected both --tls-cert and --tls-key"),
    ],
)
def test_wrong_options_are_named(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments, {})
    assert ended.value.code == WRONG_OPTIONS
    assert said in capsys.readouterr().err


def test_file_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.pem"
    assert main(("--tls-ca", str(missing)), {}) == WRONG_OPTIONS
    assert "missing.pem" in capsys.readouterr().err


def test_nothing_is_imported_that_serving_needs() -> None:
    asked = (
        "import runpy, sys\n"
        "sys.argv = ['server', 'check', '--target', '127.0.0.1:1']\n"
        "try:\n    runpy.run_module('server', run_name='__main__')\n"
        "except SystemExit as ended:\n    assert ended.code == 1\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
