import json
import os
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from server.security.api_keys import make_key
from server.security.callers import UNLIMITED, CallerLimits, Role
from server.security.callers_file import CertificateLine, edit_lines, read_lines
from server.security.errors import CallersFileError
from tests.server.security.support import NOW, add_key, key_line

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "callers.jsonl"


def test_what_was_written_is_read(path: Path) -> None:
    key = key_line(make_key(), limits={"calls_per_s": 5}, expires=NOW + timedelta(days=1))
    certificate = CertificateLine(
        id="uri:spiffe://example.org/shop",
        name="shop",
        roles=frozenset({Role.ADMIN, Role.CATALOGUE}),
        created=NOW,
        revoked=NOW,
    )
    edit_lines(path, lambda _: (key, certificate))
    assert read_lines(path) == (key, certificate)


def test_file_is_its_owners_alone_from_the_start_and_stays_so(path: Path) -> None:
    for _ in range(2):
        add_key(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_edit_leaves_nothing_beside_the_file(path: Path) -> None:
    add_key(path)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_edit_replaces_what_a_link_points_to(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    path.symlink_to(folder / "callers.jsonl")
    add_key(path)
    assert path.is_symlink()
    assert len(read_lines(folder / "callers.jsonl")) == 1


def test_edits_of_several_processes_at_once_are_all_kept(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.server.security.support import add_key\n"
        "for _ in range(10): add_key(Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(path)]
    processes = [subprocess.Popen(command, cwd=ROOT, env=os.environ) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert len(read_lines(path)) == 30


def test_roles_are_written_in_order(path: Path) -> None:
    add_key(path, roles=(Role.INFERENCE, Role.ADMIN, Role.CATALOGUE))
    assert '"roles":["admin","catalogue","inference"]' in path.read_text("utf-8")


def test_blank_lines_do_not_count(path: Path) -> None:
    add_key(path)
    path.write_text(f"\n{path.read_text('utf-8')}\n  \n", "utf-8")
    assert len(read_lines(path)) == 1


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("swordfish", "line 2: expected a line as the commands write it; it differs"),
        (
            '{"kind": "key", "swordfish": 1}',
            "line 2: .*differs in created, id, name, roles, sha256",
        ),
        ('{"kind": "swordfish"}', "line 2"),
        ("[]", "line 2"),
        ("\N{NULL}", "line 2"),
    ],
)
def test_broken_line_is_named_without_its_content(path: Path, broken: str, said: str) -> None:
    add_key(path)
    with path.open("a", encoding="utf-8") as file:
        file.write(broken)
    with pytest.raises(CallersFileError, match=said) as caught:
        read_lines(path)
    assert "swordfish" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "jwt:ada"),
        ("name", ""),
        ("roles", []),
        ("roles", ["king"]),
        ("sha256", "0" * 63),
        ("id", "short"),
        ("created", "2026-01-01T00:00:00"),
        ("limits", {"calls_per_s": 0}),
        ("limits", {"max_concurrent_calls": -1}),
        ("limits", {"calls": 1}),
    ],
)
def test_values_that_no_command_writes_are_refused(path: Path, field: str, value: object) -> None:
    good = key_line(make_key()).model_dump(mode="json", exclude_none=True)
    path.write_text(json.dumps({**good, field: value}), "utf-8")
    with pytest.raises(CallersFileError, match=f"line 1.*{field}"):
        read_lines(path)


def test_id_twice_is_refused(path: Path) -> None:
    line = key_line(make_key())
    edit_lines(path, lambda _: (line, line))
    with pytest.raises(CallersFileError, match="line 2: expected an id that is new"):
        read_lines(path)


def test_broken_file_is_not_edited(path: Path) -> None:
    path.write_text("broken", "utf-8")
    with pytest.raises(CallersFileError, match="line 1"):
        add_key(path)
    assert path.read_text("utf-8") == "broken"


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_file_that_cannot_be_read_is_named(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CallersFileError, match="cannot be read"):
        read_lines(path)


def test_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CallersFileError, match="no folder for it"):
        add_key(tmp_path / "nowhere" / "callers.jsonl")


def test_own_limits_come_before_the_servers() -> None:
    own = CallerLimits(calls_per_s=5)
    assert own.over(CallerLimits(calls_per_s=1, burst_calls=9)) == CallerLimits(
        calls_per_s=5, burst_calls=9
    )


def test_caller_without_limits_shares_the_one_object_for_that() -> None:
    assert key_line(make_key(), limits={}).caller().limits is UNLIMITED
