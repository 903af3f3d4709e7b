import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.security.api_keys import ApiKeys
from server.security.callers import CallerLimits, Role
from server.security.callers_file import read_lines
from server.security.errors import CredentialsInvalidError
from server.security.keys import main
from tests.server.security.support import Clock

ROOT = Path(__file__).resolve().parents[3]
SPIFFE = "uri:spiffe://example.org/shop"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callers.jsonl"


def test_new_key_is_printed_once_and_lets_its_caller_in(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--name", "shop", "--role", "inference", "--role", "admin", "--calls-per-s", "50")
    assert main(["new", "--file", str(path), *given]) == 0
    told = capsys.readouterr()
    key = told.out.removesuffix("\n")
    caller = ApiKeys(read_lines(path), Clock()).caller(key)
    assert (caller.name, set(caller.roles)) == ("shop", {Role.INFERENCE, Role.ADMIN})
    assert caller.limits == CallerLimits(calls_per_s=50)
    assert key not in told.err
    assert key not in path.read_text("utf-8")


def test_key_ends_after_the_days_it_was_given(path: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    given = ("--name", "shop", "--role", "inference", "--expires-days", "1.5")
    assert main(["new", "--file", str(path), *given]) == 0
    (line,) = read_lines(path)
    assert line.expires is not None
    assert before <= line.expires - timedelta(days=1.5) <= datetime.now(UTC)


def test_list_shows_everybody_and_no_secret(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["new", "--file", str(path), "--name", "shop", "--role", "inference"])
    key = capsys.readouterr().out.strip()
    given = ("--name", "radio", "--role", "catalogue", "--max-concurrent-calls", "4")
    main(["certificate", "--file", str(path), "--id", SPIFFE, *given])
    assert main(["list", "--file", str(path)]) == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "name", "roles", "state", "created", "expires", "limits"]
    assert first.split()[1:4] == ["shop", "inference", "good"]
    assert second.split()[:4] == [SPIFFE, "radio", "catalogue", "good"]
    assert second.endswith("max_concurrent_calls=4")
    assert key.rpartition("_")[2] not in first
    assert not re.search("[0-9a-f]{64}", first), "nor its digest"


def test_revoked_key_lets_nobody_in_and_stays_in_the_list(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["new", "--file", str(path), "--name", "shop", "--role", "inference"])
    key = capsys.readouterr().out.strip()
    assert main(["revoke", "--file", str(path), key.split("_")[1]]) == 0
    with pytest.raises(CredentialsInvalidError):
        ApiKeys(read_lines(path), Clock()).caller(key)
    main(["list", "--file", str(path)])
    assert "revoked" in capsys.readouterr().out


def test_revoking_again_keeps_the_first_time(path: Path) -> None:
    main(["new", "--file", str(path), "--name", "shop", "--role", "inference"])
    (line,) = read_lines(path)
    main(["revoke", "--file", str(path), line.id])
    (first,) = read_lines(path)
    main(["revoke", "--file", str(path), line.id])
    assert read_lines(path) == (first,)


def test_certificate_is_let_in_once_and_again_after_it_was_revoked(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["certificate", "--file", str(path), "--name", "shop", "--role", "inference"]
    given += ["--id", SPIFFE]
    assert main(given) == 0
    assert main(given) == 1
    assert "revoke it first" in capsys.readouterr().err
    assert main(["revoke", "--file", str(path), SPIFFE]) == 0
    assert main(given) == 0
    assert [line.revoked for line in read_lines(path)] == [None]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("new", "--name", "a:b", "--role", "inference"), "--name"),
        (("new", "--name", "a", "--role", "inference", "--calls-per-s", "0"), "--calls-per-s"),
        (("certificate", "--name", "a", "--role", "inference", "--id", "spiffe://x"), "--id"),
        (("revoke", "nobody"), "expected an id that `list` shows"),
        (("list",), "cannot be read"),
    ],
)
def test_command_that_cannot_be_carried_out_says_why_and_writes_nothing(
    path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    assert main([given[0], "--file", str(path), *given[1:]]) == 1
    told = capsys.readouterr()
    assert said in told.err
    assert told.out == ""
    assert not path.exists() or path.read_text("utf-8") == ""


@pytest.mark.parametrize(
    "given",
    [
        ("new", "--name", "a"),
        ("new", "--name", "a", "--role", "king"),
        ("new", "--name", "a", "--role", "admin", "--expires-days", "0"),
        ("new", "--name", "a", "--role", "admin", "--expires-days", "nan"),
        ("new", "--name", "a", "--role", "admin", "--expires-days", "soon"),
    ],
)
def test_wrong_options_are_refused(path: Path, given: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([given[0], "--file", str(path), *given[1:]])
    assert caught.value.code == 2
    assert not path.exists()


def test_commands_run_as_a_module(path: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "server.security.keys", "new"]
    command += ["--file", str(path), "--name", "shop", "--role", "inference"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"nf_\w+\n", done.stdout)
