"""docs/deploying.md: what can be run here is run, what cannot names what is there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from export.generation import locate, read
from server.check import main as check
from server.security.callers_file import read_lines
from tests.deploy.support import (
    DEPLOY,
    GRPC_PORT,
    METRICS_PORT,
    ROOT,
    compose,
    container,
    flag,
    manifests,
    pod,
    stages,
)
from tests.server.security.support import NOW
from tests.support.generation import write_tiny_output

PAGE = (ROOT / "docs" / "deploying.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)


def block(words: str) -> str:
    """Find the one block that has these words."""
    (found,) = [each for each in BLOCKS if words in each]
    return str(found)


def lines(program: str) -> list[list[str]]:
    """List the commands of the page that begin with a program, as words."""
    joined = [each.replace("\\\n", " ").splitlines() for each in BLOCKS]
    return [shlex.split(line) for each in joined for line in each if line.startswith(program)]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the page's Python in it, to work in."""
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error "$@"\n', "utf-8")
    python.chmod(0o755)
    return tmp_path


def run(script: str, place: Path) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, script + done.stderr


def test_what_compose_mounts_is_made_by_the_page(place: Path) -> None:
    run(block("openssl"), place)
    folder = place / "var" / "security"
    named = [
        value
        for each in compose()["services"]["nearfield"]["command"]
        for value in re.findall(r"=/run/security/(\S+)", each)
    ]
    assert len(named) == 3
    assert all((folder / name).is_file() for name in (*named, "ca.pem"))
    (line,) = read_lines(folder / "callers.jsonl")
    assert (line.name, line.state(NOW)) == ("shop", "good")
    assert folder.stat().st_mode & 0o077 == 0


def test_a_generation_is_brought_and_taken_back_as_the_page_says(tmp_path: Path) -> None:
    before = write_tiny_output(tmp_path / "folder", seed=7)
    after = write_tiny_output(tmp_path / "built", seed=8)
    assert before.name != after.name
    run(block("built/current"), tmp_path)
    current = locate(tmp_path / "folder")
    assert current == (tmp_path / "folder" / "generations" / after.name).resolve()
    assert read(current, allow_test_featurizer=True).name == after.name
    run(block("cat before"), tmp_path)
    assert locate(tmp_path / "folder") == before.resolve()


def test_options_of_the_check_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check(["--help"], {})
    told = capsys.readouterr().out
    asked = lines(".venv/bin/python -m server check")
    assert len(asked) == 3
    for words in asked:
        assert [word for word in words if word.startswith("--") and word not in told] == []


def test_docker_is_given_files_targets_and_variables_that_are_there() -> None:
    builds = lines("docker build")
    assert len(builds) == 2
    for words in builds:
        assert flag(words, "--target") in stages(ROOT / flag(words, "--file"))
    tags = {flag(words, "--tag") for words in builds}
    assert tags == {compose()["services"][name]["image"] for name in ("nearfield", "vllm")}
    (up,) = lines("docker compose")
    assert (ROOT / flag(up, "--file")) == DEPLOY / "compose.yaml"
    exported = set(re.findall(r"(NEARFIELD_\w+)=", block("docker compose")))
    wanted = set(re.findall(r"\$\{(\w+)[:}]", (DEPLOY / "compose.yaml").read_text("utf-8")))
    assert exported == wanted


def test_kubectl_makes_the_secrets_that_the_server_mounts() -> None:
    made = {words[words.index("secret") + 2] for words in lines("kubectl") if "secret" in words}
    mounted = {
        each["secret"]["secretName"] for each in pod("nearfield")["volumes"] if "secret" in each
    }
    assert made == mounted
    applied = [words for words in lines("kubectl") if "--kustomize" in words]
    assert [(ROOT / flag(words, "--kustomize")) for words in applied] == [DEPLOY / "kubernetes"]
    names = {each["metadata"]["name"] for each in manifests()}
    assert {"nearfield", "nearfield-pods", "generations"} <= names


def test_times_and_ports_of_the_page_are_those_of_the_files() -> None:
    args = container("nearfield")["args"]
    assert f"`--drain-wait-s` ({flag(args, '--drain-wait-s')} s" in PAGE
    assert f"`--grace-s` ({flag(args, '--grace-s')} s)" in PAGE
    told = re.findall(r"`terminationGracePeriodSeconds` is (\d+)", PAGE)
    assert told == [str(pod("nearfield")["terminationGracePeriodSeconds"])]
    assert f"dns:///nearfield-pods:{GRPC_PORT}" in PAGE
    assert flag(args, "--telemetry.metrics-port") == str(METRICS_PORT)
