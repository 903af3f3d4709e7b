"""The operator's command, run against a server with real workers."""

import asyncio
import json
from pathlib import Path

import pytest

from server.operate import REFUSED, WRONG, main
from server.supervision.admin import AdminApp
from tests.server.supervision.support import supervising, two_generations
from tests.server.support import make_settings
from tests.support.generation import write_tiny_output


async def run(port: int, *arguments: str) -> int:
    return await asyncio.to_thread(main, ["--target", f"127.0.0.1:{port}", *arguments])


async def test_generations_are_listed_sent_activated_and_rolled_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = two_generations(tmp_path / "here")
    third = write_tiny_output(tmp_path / "there", seed=9)
    async with supervising(tmp_path / "here", workers=1) as supervisor:
        admin = AdminApp(supervisor, make_settings(admin_port=0))
        await admin.start()
        assert await run(admin.port, "list") == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("NAME")
        assert {line.split()[0] for line in lines[1:]} == {first, second}
        assert await run(admin.port, "activate", second) == 0
        assert supervisor.serving == second
        assert await run(admin.port, "roll-back") == 0
        assert supervisor.serving == first
        assert await run(admin.port, "publish", str(third), "--activate") == 0
        assert supervisor.serving == third.name
        capsys.readouterr()
        assert await run(admin.port, "--json", "workers") == 0
        (worker,) = json.loads(capsys.readouterr().out)["workers"]
        assert worker["generation"] == third.name
        assert await run(admin.port, "activate", "nothing") == REFUSED
        assert "NOT_FOUND: the server has no generation" in capsys.readouterr().err
        await admin.stop()


def test_server_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "127.0.0.1:1", "list"]) == REFUSED
    assert "UNAVAILABLE" in capsys.readouterr().err


def test_what_is_no_address_is_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--target", "ipv4:localhost:50052", "list"]) == WRONG
    told = capsys.readouterr().err
    assert told.startswith("operate: target: expected an IP address after ipv4:")
    assert told.count("\n") == 1


def test_key_is_not_sent_in_the_clear_to_another_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NEARFIELD_API_KEY", "nf_a_b")
    assert main(["--target", "elsewhere.example:50052", "list"]) == WRONG
    assert "token: expected tls" in capsys.readouterr().err


def test_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["publish", str(tmp_path)])
    assert ended.value.code == WRONG
