"""The clock of the first commands, on a repository whose commands take no time."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.first_minutes import RunError, timed, written

MAKEFILE = """\
demo: .venv/.installed-cpu
\t@echo built by $$(cat .venv/name)
.venv/.installed-cpu: requirements.txt
\t@echo installing; exit 7
fails:
\t@exit 3
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with an environment that is older than a fresh clone's requirements."""
    folder = tmp_path / "checkout"
    (folder / ".venv").mkdir(parents=True)
    (folder / ".venv" / ".installed-cpu").touch()
    (folder / ".venv" / "name").write_text("the environment that is there")
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "requirements.txt").touch()
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for command in (
        ["init", "--quiet"],
        ["add", "Makefile", "requirements.txt"],
        [*identity, "commit", "--quiet", "-m", "first"],
    ):
        subprocess.run(["git", "-C", str(folder), *command], check=True)
    return folder


def test_a_clone_uses_the_environment_that_is_there(checkout: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert timed("demo", log, linked=True, checkout=checkout) > 0
    assert "built by the environment that is there" in log.read_text()


def test_without_it_the_clone_makes_its_own(checkout: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with pytest.raises(RunError, match=r"make .* demo ended with status 2"):
        timed("demo", log, linked=False, checkout=checkout)
    assert "installing" in log.read_text()


def test_a_target_that_fails_is_no_figure(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"make .* fails .*ended with status 2"):
        timed("fails", tmp_path / "log", linked=True, checkout=checkout)


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.2, "7 s"), (59.6, "1 min 0 s"), (754.3, "12 min 34 s")]
)
def test_a_time_is_written_in_minutes(seconds: float, text: str) -> None:
    assert written(seconds) == text
