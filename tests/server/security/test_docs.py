"""docs/security.md: its commands are run, the gates of its servers opened, its client let in."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from pydantic_settings import BaseSettings, CliApp, SettingsConfigDict

from nearfield.testing import FakeServer
from server.security.callers import CallerLimits
from server.security.callers_file import read_lines
from server.security.gate import Gate, open_gate
from server.security.roles import ROLE_OF_SERVICE
from server.security.settings import SecuritySettings
from tests.server.security.support import NOW
from tests.server.security.wire import METHOD, guarded

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, flags=re.DOTALL)
SERVER = ".venv/bin/python -m server "


class Served(BaseSettings):
    """Flags of a server that the page uses."""

    model_config = SettingsConfigDict(cli_kebab_case=True, cli_implicit_flags=True)

    generation: Path
    host: str = "127.0.0.1"
    security: SecuritySettings = SecuritySettings()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the page's Python in it, to work in."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "$@"\n', "utf-8")
    python.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(lines: list[str]) -> None:
    script = "\n".join(("set -euo pipefail", *lines))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, script + done.stderr


def follow(block: str) -> list[Gate]:
    """Run a block's commands; of servers, read the flags and the files that they name."""
    gates: list[Gate] = []
    waiting: list[str] = []
    for line in block.replace("\\\n", " ").splitlines():
        if line.startswith(SERVER):
            run(waiting)
            waiting = []
            flags = shlex.split(line.removeprefix(SERVER))
            served = CliApp.run(Served, cli_args=flags)
            gates.append(open_gate(served.security, served.host))
        else:
            waiting.append(line)
    run(waiting)
    return gates


@contextmanager
def serving(gate: Gate) -> Iterator[int]:
    """Serve what a fake says of itself behind a gate, and give the port."""
    loop, listening, port = asyncio.new_event_loop(), threading.Event(), 0
    stopping = asyncio.Event()
    with FakeServer() as fake, grpc.insecure_channel(fake.target) as direct:
        method: Any = direct.unary_unary(METHOD)
        told: bytes = method(b"", timeout=20)

    def reply(_: object) -> bytes:
        return told

    async def serve() -> None:
        nonlocal port
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((guarded(gate, reply),))
        port = gate.listen(server, "127.0.0.1:0")
        await server.start()
        listening.set()
        await stopping.wait()
        await server.stop(0)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert listening.wait(20)
        yield port
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        loop.close()


def test_commands_and_the_client_of_the_page_work_one_after_the_other(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gates: list[Gate] = []
    for kind, block in BLOCKS:
        if kind == "sh":
            gates += follow(block)
        else:
            with serving(gates[-1]) as port:
                aimed = block.replace("localhost:50051", f"localhost:{port}")
                names: dict[str, Any] = {"__name__": "example"}
                exec(compile(aimed, "docs/security.md", "exec"), names)
            assert capsys.readouterr().out == "nearfield.v1\n"
    assert len(gates) == 7
    assert [gate.certificate is not None for gate in gates].count(True) == 2

    lines = read_lines(place / "var" / "security" / "callers.jsonl")
    assert [(line.name, line.state(NOW)) for line in lines] == [
        ("shop", "revoked"),
        ("shop", "good"),
        ("radio", "good"),
        ("partner", "good"),
    ]
    assert lines[-1].limits == CallerLimits(calls_per_s=50, burst_calls=200, max_concurrent_calls=8)


def test_secrets_that_the_page_makes_are_their_owners_alone(place: Path) -> None:
    for kind, block in BLOCKS:
        if kind == "sh":
            follow(block)
    folder = place / "var" / "security"
    for path in (folder, *(folder / name for name in ("callers.jsonl", "secret", "server.key"))):
        assert path.stat().st_mode & 0o077 == 0, path


def test_table_of_roles_is_the_one_that_holds() -> None:
    section = PAGE.split("## Roles")[1].split("## ")[0]
    rows = re.findall(r"^\| (?:`(\w+)`|nobody needs one for) \| (.*) \|$", section, re.MULTILINE)
    told = {service: role for role, services in rows for service in services.split(", ")}
    held = {name.rpartition(".")[2]: role or "" for name, role in ROLE_OF_SERVICE.items()}
    assert told == held


def test_page_names_flags_that_are_there() -> None:
    flags = {name.replace("-", "_") for name in re.findall(r"--security\.([a-z-]+)", PAGE)}
    assert flags - SecuritySettings.model_fields.keys() == set()
    ways = {"authentication", "callers_file", "jwt_keys_file", "tls_client_ca", "limits"}
    assert ways <= flags
