"""A server on a Unix socket, with a real worker, asked by everything that asks servers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from pydantic import ValidationError

from nearfield import AsyncClient
from server import check, operate
from server.errors import PortTakenError
from server.supervision.admin import AdminApp
from server.supervision.supervisor import Supervisor
from tests.server.serve_tiny import TINY
from tests.server.supervision.support import FLAGS
from tests.server.support import make_settings
from tests.support.generation import write_tiny_output


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a path that is short enough, wherever tests keep their files."""
    with TemporaryDirectory(prefix="nf-") as folder:
        yield Path(folder)


def over(out: Path, sockets: Path) -> Supervisor:
    host = f"unix:{sockets / 'calls'}"
    flags = ["--generation", str(out), "--host", host, *FLAGS]
    return Supervisor(make_settings(generation=out, host=host, featurizer="none"), flags, TINY)


def left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def ask(address: str) -> str:
    async with AsyncClient(address) as client:
        return (await client.recommend("user-1")).info.generation


async def test_callers_operators_and_checks_reach_a_server_on_a_unix_socket(
    tmp_path: Path, sockets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = write_tiny_output(tmp_path).name
    supervisor = over(tmp_path, sockets)
    await supervisor.start()
    admin_host = f"unix:{sockets / 'operators'}"
    admin = AdminApp(supervisor, make_settings(admin_host=admin_host, admin_port=0))
    await admin.start()
    address = f"unix:{sockets / 'calls'}"
    assert supervisor.address == address
    assert await ask(address) == name
    for environment in ({"NEARFIELD_CHECK_TARGET": address}, {"NEARFIELD_HOST": address}):
        assert await asyncio.to_thread(check.main, [], environment) == 0
        assert capsys.readouterr().out == f"{address}: SERVING\n"
    assert await asyncio.to_thread(operate.main, ["--target", admin_host, "list"]) == 0
    with pytest.raises(PortTakenError, match="calls"):
        await over(tmp_path, sockets).start()
    assert await ask(address) == name

    (worker,) = supervisor.workers
    pid = worker.pid
    worker.kill()  # leaves its socket behind
    while worker.pid in (0, pid) or not worker.answers:  # noqa: ASYNC110 - sets no event
        await asyncio.sleep(0.02)
    assert await ask(address) == name
    await admin.stop()
    await supervisor.stop()
    assert left(sockets) == []


def test_several_workers_cannot_share_a_unix_socket() -> None:
    said = "expected 1, because host is unix:/run/s: processes cannot share a Unix socket"
    with pytest.raises(ValidationError, match=said):
        make_settings(host="unix:/run/s", workers=2)
